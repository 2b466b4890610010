"""Taxonomies and their versions.

    draft -> applying -> live -> old
                ^                 |
                '-----------------'   (a version that was live may be applied again)

A draft changes only by being calibrated. One version is live at a time; the old ones and what they said of posts are
kept until they are deleted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from postscope.backend import audit
from postscope.backend.errors import Conflict, FieldProblem, NotFound
from postscope.backend.tables import (
    LabelSet,
    Post,
    Taxonomy,
    TaxonomyExample,
    TaxonomyLabel,
    TaxonomyVersion,
    Upload,
)
from postscope.backend.tagging.definitions import (
    DEFAULT_THRESHOLD,
    NAME,
    NAME_RULE,
    FlatLabel,
    TaxonomyIn,
    flatten,
    invalid,
)


def create(
    session: Session, name: str, definition: TaxonomyIn, *, origin: str, actor: str, now: datetime
) -> TaxonomyVersion:
    """A new taxonomy with its first version, a draft; and a set for the labels that people give.

    Raises:
        Conflict: ``taxonomy_exists``: there is one of this name.
        Invalid: it cannot be called so, two labels have one name, or an example is not here.
    """
    if not re.fullmatch(NAME, name):
        raise invalid([FieldProblem("name", NAME_RULE)])
    taxonomy = Taxonomy(name=name, newest=0, created_by=actor, created_at=now)
    try:
        with session.begin_nested():
            session.add(taxonomy)
    except IntegrityError as error:
        raise Conflict(f"there is a taxonomy {name!r}; give it a new version", code="taxonomy_exists") from error
    session.add(
        LabelSet(
            name=f"taxonomy:{name}",
            kind="classes" if definition.exclusive else "tags",
            taxonomy_id=taxonomy.id,
            created_by=actor,
            created_at=now,
        )
    )
    return _add(session, taxonomy, next_number(taxonomy), definition, origin=origin, actor=actor, now=now)


def add_version(
    session: Session,
    name: str,
    definition: TaxonomyIn,
    *,
    origin: str,
    actor: str,
    now: datetime,
    based_on: int | None = None,
) -> TaxonomyVersion:
    """The next version of a taxonomy, a draft.

    Raises:
        NotFound: there is no such taxonomy.
        Invalid: as ``create``; or ``exclusive`` is not as in the versions before, whose labels people gave.
    """
    taxonomy = get(session, name, lock=True)
    kind = session.scalars(select(LabelSet.kind).where(LabelSet.taxonomy_id == taxonomy.id)).one()
    if (kind == "classes") != definition.exclusive:
        raise invalid([FieldProblem("exclusive", "cannot change from version to version: make a new taxonomy")])
    return _add(
        session, taxonomy, next_number(taxonomy), definition, origin=origin, actor=actor, now=now, based_on=based_on
    )


def next_number(taxonomy: Taxonomy) -> int:
    """Of a taxonomy's next version, and never given again; whoever asks holds the lock of its row."""
    taxonomy.newest += 1
    return taxonomy.newest


def newest_number(session: Session, name: str) -> int:
    """Of the newest version that is there; 0 where there is none.

    Raises:
        NotFound: there is no such taxonomy.
    """
    query = select(func.max(TaxonomyVersion.number)).where(TaxonomyVersion.taxonomy_id == get(session, name).id)
    return session.scalar(query) or 0


def _add(
    session: Session,
    taxonomy: Taxonomy,
    number: int,
    definition: TaxonomyIn,
    *,
    origin: str,
    actor: str,
    now: datetime,
    based_on: int | None = None,
) -> TaxonomyVersion:
    labels = flatten(definition)
    _check_examples(session, labels)
    version = TaxonomyVersion(
        taxonomy_id=taxonomy.id,
        number=number,
        description=definition.description,
        exclusive=definition.exclusive,
        open=definition.open,
        background=definition.background,
        origin=origin,
        based_on=based_on,
        created_by=actor,
        created_at=now,
    )
    session.add(version)
    session.flush()
    session.refresh(version)
    ids = session.scalars(
        insert(TaxonomyLabel).returning(TaxonomyLabel.id, sort_by_parameter_order=True),
        [_label_row(version.id, place, label) for place, label in enumerate(labels)],
    ).all()
    examples = [row for id, label in zip(ids, labels, strict=True) for row in _example_rows(id, label)]
    if examples:
        session.execute(insert(TaxonomyExample), examples)
    audit.record(
        session,
        actor=actor,
        action="taxonomy.define",
        subject=f"taxonomy:{taxonomy.name}",
        evidence={"version": number, "labels": len(labels), "origin": origin, "based_on": based_on},
        now=now,
    )
    return version


def _label_row(version_id: int, place: int, label: FlatLabel) -> dict[str, Any]:
    given = label.definition.threshold
    return {
        "version_id": version_id,
        "path": label.path,
        "position": place,
        "description": label.definition.description,
        "prompts": label.definition.prompts,
        "threshold": DEFAULT_THRESHOLD if given is None else given,
        "threshold_from": "default" if given is None else "given",
    }


def _example_rows(label_id: int, label: FlatLabel) -> list[dict[str, Any]]:
    sides = ((True, label.definition.positive), (False, label.definition.negative))
    return [
        {"label_id": label_id, "positive": positive, **example.model_dump()}
        for positive, examples in sides
        for example in examples
    ]


def _check_examples(session: Session, labels: Sequence[FlatLabel]) -> None:
    named: dict[tuple[str, UUID], str] = {}
    for label in labels:
        for side in ("positive", "negative"):
            for n, example in enumerate(getattr(label.definition, side)):
                for kind in ("post_id", "upload_id"):
                    if (value := getattr(example, kind)) is not None:
                        named.setdefault((kind, value), f"{label.field}.{side}.{n}.{kind}")
    problems = []
    for kind, table in (("post_id", Post.id), ("upload_id", Upload.id)):
        ids = [value for what, value in named if what == kind]
        found = select(table).where(table.in_(ids)).order_by(table).with_for_update(key_share=True, read=True)
        there = set(session.scalars(found)) if ids else set()  # whoever deletes one waits
        what = "post" if kind == "post_id" else "upload"
        problems += [FieldProblem(named[kind, id], f"there is no such {what}") for id in ids if id not in there]
    if problems:
        raise invalid(problems)


def get(session: Session, name: str, *, lock: bool = False) -> Taxonomy:
    """One taxonomy.

    Raises:
        NotFound: there is none of this name.
    """
    query = select(Taxonomy).where(Taxonomy.name == name)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound(f"there is no taxonomy {name!r}")
    return found


def every(session: Session) -> list[tuple[Taxonomy, list[TaxonomyVersion]]]:
    """All taxonomies by name, each with its versions, the newest first."""
    versions: dict[int, list[TaxonomyVersion]] = {}
    for version in session.scalars(select(TaxonomyVersion).order_by(TaxonomyVersion.number.desc())):
        versions.setdefault(version.taxonomy_id, []).append(version)
    return [(row, versions.get(row.id, [])) for row in session.scalars(select(Taxonomy).order_by(Taxonomy.name))]


def get_version(session: Session, name: str, number: int | None = None, *, lock: bool = False) -> TaxonomyVersion:
    """A version; without a number the live one, or the newest where none is live.

    Raises:
        NotFound: there is no such taxonomy or version.
    """
    taxonomy = get(session, name)
    query = select(TaxonomyVersion).where(TaxonomyVersion.taxonomy_id == taxonomy.id)
    if number is not None:
        query = query.where(TaxonomyVersion.number == number)
    else:
        query = query.order_by((TaxonomyVersion.state == "live").desc(), TaxonomyVersion.number.desc()).limit(1)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound(f"the taxonomy {name!r} has no version" + ("" if number is None else f" {number}"))
    return found


def labels_of(session: Session, version_id: int) -> list[TaxonomyLabel]:
    """In the order they were given; parents come before their children."""
    return list(
        session.scalars(
            select(TaxonomyLabel).where(TaxonomyLabel.version_id == version_id).order_by(TaxonomyLabel.position)
        )
    )


def examples_of(session: Session, version_id: int) -> dict[int, list[TaxonomyExample]]:
    """By the id of the label."""
    found: dict[int, list[TaxonomyExample]] = {}
    query = (
        select(TaxonomyExample)
        .join(TaxonomyLabel, TaxonomyLabel.id == TaxonomyExample.label_id)
        .where(TaxonomyLabel.version_id == version_id)
        .order_by(TaxonomyExample.id)
    )
    for example in session.scalars(query):
        found.setdefault(example.label_id, []).append(example)
    return found


def parents_of(paths: Sequence[str]) -> list[int]:
    """Of each path the place of its parent's, -1 at the root."""
    places = {path: place for place, path in enumerate(paths)}
    return [places.get(path.rpartition("/")[0], -1) if "/" in path else -1 for path in paths]


def put(
    session: Session, name: str, definition: TaxonomyIn, *, origin: str, actor: str, now: datetime
) -> TaxonomyVersion:
    """A new taxonomy, or a new version of the one that has this name.

    Raises:
        Invalid: as ``create`` and ``add_version``.
    """
    known = session.scalar(select(Taxonomy.id).where(Taxonomy.name == name))
    if known is None:
        try:
            return create(session, name, definition, origin=origin, actor=actor, now=now)
        except Conflict:
            pass  # somebody else made it meanwhile
    return add_version(session, name, definition, origin=origin, actor=actor, now=now)
