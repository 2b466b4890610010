"""What a head is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from postscope.backend import audit
from postscope.backend.errors import Conflict, Invalid, NotFound
from postscope.backend.tables import Head, LabelSet
from postscope.indexing.heads.estimators import Task

NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
FIELDS: Final = ("source", "language", "time", "length", "media", "metadata.*")
"""What a head may know beside the content; all of it is known when a post is posted."""
_FIELD: Final = re.compile(r"source|language|time|length|media|metadata\.[^\s].{0,99}")


@dataclass(frozen=True, slots=True)
class Definition:
    """A head as somebody wants it; see ``tables.Head``. ``classes`` are those of a built-in head."""

    task: Task
    target: str | None = None
    fields: tuple[str, ...] = ()
    window_days: float | None = None
    retrain_days: float | None = None
    classes: tuple[str, ...] = ()


BUILT_IN: Final = {
    "sentiment": Definition("classes", classes=("negative", "neutral", "positive")),
    "segments": Definition("classes"),
    "popularity": Definition("number", target="engagement", fields=FIELDS),
}
"""Heads that have endpoints of their own. Each is made when it is first trained."""


def create(
    session: Session,
    name: str,
    definition: Definition,
    *,
    label_set: str | None = None,
    actor: str,
    now: datetime,
) -> Head:
    """Make a head.

    Args:
        session: it exists when it commits.
        name: small letters, digits, ``-`` and ``_``.
        definition: what it is.
        label_set: the set of judgements it learns from; by default one of its own name, made here.
        actor: who asked.
        now: the time.

    Raises:
        Invalid: a value cannot be right.
        Conflict: ``head_exists``: there is one of this name.
        NotFound: there is no such set of judgements.
    """
    _check(name, definition, label_set)
    try:
        with session.begin_nested():
            head = _add(session, name, definition, label_set, actor, now)
    except IntegrityError as error:
        raise Conflict(f"there is a head {name!r} already", code="head_exists") from error
    evidence = {name: getattr(head, name) for name in ("task", "fields", "window_days", "retrain_days")}
    audit.record(session, actor=actor, action="head.create", subject=f"head:{name}", evidence=evidence, now=now)
    return head


def _add(session: Session, name: str, definition: Definition, label_set: str | None, actor: str, now: datetime) -> Head:
    chosen = None
    if definition.target is None:
        chosen = _set(session, name, definition.task, label_set, actor, now)
    head = Head(
        name=name,
        task=definition.task,
        set_id=chosen,
        target=definition.target,
        fields=list(definition.fields),
        window_days=definition.window_days,
        retrain_days=definition.retrain_days,
        created_by=actor,
        created_at=now,
    )
    session.add(head)
    session.flush()
    return head


def get(session: Session, name: str) -> Head:
    """A head.

    Raises:
        NotFound: there is none of this name.
    """
    head = session.scalar(select(Head).where(Head.name == name))
    if head is None:
        raise NotFound(f"there is no head {name!r}")
    return head


def get_or_create(session: Session, name: str, *, actor: str, now: datetime) -> Head:
    """A head; a built-in one is made if it is not there yet.

    Raises:
        NotFound: there is none of this name, and it is not built in.
    """
    found = session.scalar(select(Head).where(Head.name == name))
    if found is not None:
        return found
    if name not in BUILT_IN:
        raise NotFound(f"there is no head {name!r}")
    try:
        return create(session, name, BUILT_IN[name], actor=actor, now=now)
    except Conflict:
        return get(session, name)  # somebody else made it meanwhile


def reschedule(
    session: Session,
    name: str,
    changes: Mapping[str, float | None],
    *,
    actor: str,
    now: datetime,
) -> Head:
    """Change how far back a head learns from, and how old it may get; a built-in one is made if it is not there yet.

    Args:
        session: it holds when it commits.
        name: of the head.
        changes: ``window_days``, ``retrain_days`` or both; None for all posts, or for never by time.
        actor: who asked.
        now: the time.

    Raises:
        NotFound: there is none of this name, and it is not built in.
    """
    head = get_or_create(session, name, actor=actor, now=now)
    for field, value in changes.items():
        setattr(head, field, value)
    session.flush()
    evidence = {"window_days": head.window_days, "retrain_days": head.retrain_days}
    audit.record(session, actor=actor, action="head.reschedule", subject=f"head:{name}", evidence=evidence, now=now)
    return head


def every(session: Session) -> Sequence[Head]:
    """All heads, by name."""
    return session.scalars(select(Head).order_by(Head.name)).all()


def _check(name: str, definition: Definition, label_set: str | None) -> None:
    if not NAME.fullmatch(name):
        raise Invalid.of("name", "must have 1 to 63 small letters, digits, '-' or '_', a letter first")
    for n, field in enumerate(definition.fields):
        if not _FIELD.fullmatch(field):
            raise Invalid.of(f"fields.{n}", f"must be one of {', '.join(FIELDS)} or metadata.NAME")
    if definition.target is not None and (definition.target != "engagement" or definition.task != "number"):
        raise Invalid.of("target", "must be 'engagement', with the task 'number'")
    if definition.target is not None and label_set is not None:
        raise Invalid.of("label_set", "a head with a target learns from posts, not from judgements")


def _set(session: Session, name: str, task: Task, label_set: str | None, actor: str, now: datetime) -> int:
    wanted = label_set or name
    found = session.scalar(select(LabelSet).where(LabelSet.name == wanted).with_for_update())
    if found is None:
        if label_set is not None:
            raise NotFound(f"there is no set of judgements {label_set!r}")
        found = LabelSet(name=wanted, kind=task, created_by=actor, created_at=now)
        session.add(found)
        session.flush()
    if found.kind != task:
        raise Invalid.of("label_set", f"holds {found.kind}, the head's task is {task}")
    return found.id
