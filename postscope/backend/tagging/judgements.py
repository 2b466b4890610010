"""What people say of posts, for a taxonomy: checked, kept, and read again as a sample.

A judgement is complete (these labels, and none of the others) or of one label alone. The newest word on a post and
label counts. A label says its parents; a post without a label has none of its children.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend import audit
from postscope.backend.errors import FieldProblem
from postscope.backend.tables import Label, LabelSet
from postscope.backend.tagging import taxonomies
from postscope.backend.tagging.definitions import invalid
from postscope.backend.tagging.nesting import contradict, on_one_path, with_parents

OTHERS: Final = "*"
"""The label whose value 0 says that every label that is not named was looked at, and is not there."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody says of one post.

    Attributes:
        field: where it was said, for messages, such as ``line 3``.
        post_id: of the post; or None, and ``known_as`` is its source and external id.
        known_as: see there.
        labels: what it has; of a complete judgement.
        label: the one that is spoken of; None of a complete judgement.
        value: whether it has that one.
        post_field: where the post was named, if that is a field of its own.
        labels_field: the same of the labels.
    """

    field: str
    post_id: UUID | None
    known_as: tuple[str, str] | None
    labels: tuple[str, ...] = ()
    label: str | None = None
    value: bool = True
    post_field: str | None = None
    labels_field: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """How many posts were judged, and how many judgements were passed over because their posts are not here."""

    posts: int
    skipped: int


def keep(
    session: Session,
    taxonomy: str,
    judgements: Sequence[Judgement],
    *,
    source: str,
    actor: str,
    now: datetime,
    skip_unknown: bool = False,
) -> Kept:
    """Keep them all, or none.

    Raises:
        NotFound: there is no such taxonomy.
        Invalid: a post or label is not here, an exclusive taxonomy gets two labels on a post, or two judgements
            contradict each other; names each place.
    """
    version = taxonomies.get_version(session, taxonomy)
    paths = {label.path for label in taxonomies.labels_of(session, version.id)}
    # Whoever judges waits for the one who does: the newest word is the last one, and no two wait for each other.
    found = select(LabelSet).where(LabelSet.taxonomy_id == version.taxonomy_id).with_for_update()
    labels = session.scalars(found).one()
    posts = _posts(session, judgements)
    problems: list[FieldProblem] = []
    kept: dict[UUID, dict[str, tuple[bool, str]]] = {}
    skipped = 0
    for judgement in judgements:
        post_id = posts.get(judgement.post_id or judgement.known_as)
        if post_id is None and skip_unknown:
            skipped += 1
            continue
        wrong = _wrong(judgement, post_id, paths, exclusive=version.exclusive)
        problems += wrong
        if post_id is not None and not wrong:
            problems += _add(kept.setdefault(post_id, {}), judgement, exclusive=version.exclusive)
    if problems:
        raise invalid(problems)
    _take_back(session, labels.id, kept, exclusive=version.exclusive)
    _write(session, labels.id, kept, source=source, actor=actor, now=now)
    audit.record(
        session,
        actor=actor,
        action="taxonomy.label",
        subject=f"taxonomy:{taxonomy}",
        evidence={"posts": len(kept), "skipped": skipped, "source": source},
        now=now,
    )
    return Kept(len(kept), skipped)


def _posts(session: Session, judgements: Sequence[Judgement]) -> Mapping[object, UUID]:
    ids = [judgement.post_id for judgement in judgements if judgement.post_id is not None]
    known = [judgement.known_as for judgement in judgements if judgement.known_as is not None]
    names = [name for name in known if "\0" not in "".join(name)]  # no post is called so, and no statement may hold it
    found: dict[object, UUID] = {}
    if ids:
        # As one array: a file may name more posts than a statement may have parameters. Whoever deletes one waits.
        there = session.scalars(
            text("SELECT id FROM posts WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR KEY SHARE"), {"ids": ids}
        )
        found |= {id: id for id in there}
    if names:
        rows = session.execute(
            text(
                "SELECT p.id, p.source, p.external_id FROM posts p JOIN unnest(CAST(:sources AS text[]), "
                "CAST(:names AS text[])) AS asked(source, name) "
                "ON asked.source = p.source AND asked.name = p.external_id ORDER BY p.id FOR KEY SHARE OF p"
            ),
            {"sources": [source for source, _ in names], "names": [name for _, name in names]},
        )
        found |= {(row.source, row.external_id): row.id for row in rows}
    return found


def _wrong(judgement: Judgement, post_id: UUID | None, paths: set[str], *, exclusive: bool) -> list[FieldProblem]:
    post_field, labels_field = judgement.post_field or judgement.field, judgement.labels_field or judgement.field
    named = judgement.labels if judgement.label is None else (judgement.label,)
    problems = [FieldProblem(labels_field, f"there is no label {label!r}") for label in named if label not in paths]
    if post_id is None:
        shown = judgement.post_id or "/".join(judgement.known_as or ())
        problems.append(FieldProblem(post_field, f"there is no post {shown}"))
    if exclusive and len(set(named)) > 1:
        reason = "gives several labels, the taxonomy is exclusive: one a post"
        problems.append(FieldProblem(labels_field, reason))
    return problems


def _add(post: dict[str, tuple[bool, str]], judgement: Judgement, *, exclusive: bool) -> list[FieldProblem]:
    said = dict.fromkeys(judgement.labels, True) | ({OTHERS: False} if judgement.label is None else {})
    if judgement.label is not None:
        said[judgement.label] = judgement.value
    for label, value in said.items():
        for other, (before, place) in post.items():
            if contradict(label, value, other, before):
                about = f"{label!r}" if label == other else f"{label!r}, by what it says of {other!r}"
                return [FieldProblem(judgement.field, f"contradicts {place} about {about}")]
    complete = [place for label, (_, place) in post.items() if label == OTHERS]
    named = with_parents(label for label, (value, _) in post.items() if value)
    new = with_parents(label for label, value in said.items() if value)
    if complete and (new - named or (OTHERS in said and named - new)):
        return [FieldProblem(judgement.field, f"contradicts {complete[0]}, which names all labels of the post")]
    if OTHERS in said and named - new:
        return [FieldProblem(judgement.field, "contradicts an earlier line, which gives the post another label")]
    if exclusive and not on_one_path(named | new):
        return [FieldProblem(judgement.field, "gives the post a second label, the taxonomy is exclusive")]
    for label, value in said.items():
        post.setdefault(label, (value, judgement.field))
    return []


def _take_back(
    session: Session, set_id: int, kept: Mapping[UUID, Mapping[str, tuple[bool, str]]], *, exclusive: bool
) -> None:
    """Earlier words on posts that what is said of one label now makes untrue. A complete judgement replaces all."""
    partly = [post_id for post_id, said in kept.items() if OTHERS not in said]
    rows = session.execute(
        text(
            "SELECT id, post_id, label, value > 0 AS has FROM labels "
            "WHERE set_id = :set AND post_id = ANY(CAST(:ids AS uuid[])) AND label <> :others"
        ),
        {"set": set_id, "ids": partly, "others": OTHERS},
    )
    untrue = [
        row.id
        for row in rows
        for label, (value, _) in kept[row.post_id].items()
        if label != row.label
        and (
            contradict(label, value, row.label, row.has)
            or (exclusive and value and row.has and not on_one_path({label, row.label}))
        )
    ]
    if untrue:
        session.execute(text("DELETE FROM labels WHERE id = ANY(CAST(:ids AS bigint[]))"), {"ids": untrue})


def _write(
    session: Session,
    set_id: int,
    kept: Mapping[UUID, Mapping[str, tuple[bool, str]]],
    *,
    source: str,
    actor: str,
    now: datetime,
) -> None:
    anew = [post_id for post_id, said in kept.items() if OTHERS in said]
    if anew:
        session.execute(
            text("DELETE FROM labels WHERE set_id = :set AND post_id = ANY(CAST(:ids AS uuid[]))"),
            {"set": set_id, "ids": anew},
        )
    rows = [
        {
            "set_id": set_id,
            "post_id": post_id,
            "label": label,
            "value": float(value),
            "source": source,
            "actor": actor,
            "at": now,
        }
        for post_id, said in kept.items()
        for label, (value, _) in said.items()
    ]
    if not rows:
        return
    statement = insert(Label)
    changed = {name: statement.excluded[name] for name in ("value", "source", "actor", "at")}
    session.execute(statement.on_conflict_do_update(constraint="uq_labels_set_id_post_id_label", set_=changed), rows)
    if source != "upload":
        # What was said when somebody judged, so that it can be told how often it was right.
        session.execute(
            text(
                "UPDATE labels SET score = t.score FROM post_tags t JOIN taxonomy_labels l ON l.id = t.label_id "
                "JOIN taxonomy_versions v ON v.id = t.version_id AND v.state = 'live' "
                "WHERE labels.set_id = :set AND labels.at = :now AND labels.post_id = t.post_id "
                "AND labels.label = l.path AND labels.post_id = ANY(CAST(:ids AS uuid[]))"
            ),
            {"set": set_id, "now": now, "ids": list(kept)},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Judged posts, ordered by id: ``truth`` (n, labels) is 1, 0, or -1 where nobody said. ``data_hash``: SHA-256."""

    ids: list[UUID]
    truth: npt.NDArray[np.int8]
    data_hash: bytes


def sample_of(session: Session, taxonomy_id: int, paths: Sequence[str], *, exclusive: bool) -> Sample:
    """All judgements of a taxonomy, in terms of these labels. Those of labels that there are no more say nothing."""
    rows = session.execute(
        select(Label.post_id, Label.label, Label.value)
        .join(LabelSet, LabelSet.id == Label.set_id)
        .where(LabelSet.taxonomy_id == taxonomy_id)
        .order_by(Label.post_id, Label.label)
    ).all()
    place = {path: n for n, path in enumerate(paths)}
    parents = taxonomies.parents_of(paths)
    ids = list(dict.fromkeys(row.post_id for row in rows))
    number = {id: n for n, id in enumerate(ids)}
    truth = np.full((len(ids), len(paths)), -1, np.int8)
    for row in rows:
        if row.label == OTHERS:
            truth[number[row.post_id]] = 0
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"{row.post_id}\t{row.label}\t{row.value}\n".encode())
        if row.label in place and row.value == 1 and exclusive:
            truth[number[row.post_id]] = 0
    for row in rows:
        if (label := place.get(row.label)) is not None:
            truth[number[row.post_id], label] = int(row.value)
    for label in range(len(paths) - 1, -1, -1):
        if parents[label] >= 0:
            truth[truth[:, label] == 1, parents[label]] = 1
    for label, parent in enumerate(parents):
        if parent >= 0:
            truth[truth[:, parent] == 0, label] = 0
    return Sample(ids, truth, digest.digest())
