"""Judgements of people, for a head to learn from: a batch is taken whole or not at all."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend import audit
from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.heads.definitions import BUILT_IN
from postscope.backend.tables import Head, Label, LabelSet, Post, Taxonomy
from postscope.indexing.heads.estimators import Task

MAX_LABEL = 200
MOST = 1e12
"""The largest number that a head learns: beyond, squares of differences are no numbers any more."""
MAX_SHOWN = 20
"""Problems that one answer names."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody says of a post.

    Attributes:
        post_id: of the post; or ``identity``.
        identity: source and external id.
        label: a tag or a class; empty for a number.
        value: of tags 1 (has it) or 0 (has it not), of a class 1, or the number.
    """

    post_id: uuid.UUID | None
    identity: tuple[str, str] | None
    label: str = ""
    value: float = 1.0


@dataclass(frozen=True, slots=True)
class Taken:
    """How many judgements there were, and of how many posts."""

    judgements: int
    posts: int


def judge(
    session: Session, head: Head, judgements: Sequence[Judgement], *, source: str, actor: str, now: datetime
) -> Taken:
    """Keep judgements. The newest word on a post counts: it replaces what was said before.

    Args:
        session: they are kept when it commits.
        head: that learns from them.
        judgements: of one file or request.
        source: ``upload``, ``asked`` or ``correction``.
        actor: who judged.
        now: the time.

    Raises:
        Invalid: a post is unknown, a label cannot be, or two judgements contradict each other. Each problem names the
            place in ``judgements``; nothing is kept.
    """
    if head.set_id is None:
        raise Invalid.of("head", "this head learns from the posts themselves, not from judgements")
    task: Task = "tags" if head.task == "tags" else "classes" if head.task == "classes" else "number"
    # Whoever judges waits for the one who does: the newest word is the last one, and no two wait for each other.
    words = session.scalars(select(LabelSet).where(LabelSet.id == head.set_id).with_for_update()).one()
    if words.taxonomy_id is not None:
        name = session.scalar(select(Taxonomy.name).where(Taxonomy.id == words.taxonomy_id))
        raise Invalid.of("head", f"this head learns from what people say at POST /v1/taxonomies/{name}/labels")
    ids = _resolve(session, judgements)
    problems = _problems(head, task, judgements, ids)
    if problems:
        raise Invalid(
            f"{len(problems)} of {len(judgements)} judgements are wrong; none was kept", problems=problems[:MAX_SHOWN]
        )
    found = [(post_id, item) for post_id, item in zip(ids, judgements, strict=True) if post_id is not None]
    posts = sorted({post_id for post_id, _ in found})
    if task != "tags":  # one word a post
        session.execute(
            text("DELETE FROM labels WHERE set_id = :set AND post_id = ANY(CAST(:posts AS uuid[]))"),
            {"set": head.set_id, "posts": posts},
        )
    rows = {
        (post_id, item.label): {
            "set_id": head.set_id, "post_id": post_id, "label": item.label, "value": item.value, "source": source,
            "actor": actor, "at": now, "score": None,
        }
        for post_id, item in found
    }  # fmt: skip
    for start in range(0, len(ordered := [rows[key] for key in sorted(rows)]), 1_000):
        statement = insert(Label).values(ordered[start : start + 1_000])
        fresh = {name: statement.excluded[name] for name in ("value", "source", "actor", "at", "score")}
        session.execute(statement.on_conflict_do_update(index_elements=["set_id", "post_id", "label"], set_=fresh))
    evidence = {"judgements": len(found), "posts": len(posts), "source": source}
    audit.record(session, actor=actor, action="head.judge", subject=f"head:{head.name}", evidence=evidence, now=now)
    return Taken(len(found), len(posts))


def _resolve(session: Session, judgements: Sequence[Judgement]) -> list[uuid.UUID | None]:
    wanted = {item.post_id for item in judgements if item.post_id is not None}
    known_as = {item.identity for item in judgements if item.identity is not None}
    named = sorted(name for name in known_as if "\0" not in "".join(name))  # no post is called so
    known: set[uuid.UUID] = set()
    by_name: dict[tuple[str, str], uuid.UUID] = {}
    for start in range(0, len(ids := sorted(wanted)), 5_000):
        some = select(Post.id).where(Post.id.in_(ids[start : start + 5_000])).order_by(Post.id)
        known.update(session.scalars(some.with_for_update(key_share=True, read=True)))  # whoever deletes one waits
    for start in range(0, len(named), 2_000):
        rows = session.execute(
            select(Post.source, Post.external_id, Post.id)
            .where(tuple_(Post.source, Post.external_id).in_(named[start : start + 2_000]))
            .order_by(Post.id)
            .with_for_update(key_share=True, read=True)
        )
        by_name |= {(row.source, row.external_id): row.id for row in rows}
    return [
        by_name.get(item.identity) if item.identity is not None else item.post_id if item.post_id in known else None
        for item in judgements
    ]


def _problems(
    head: Head, task: Task, judgements: Sequence[Judgement], ids: Sequence[uuid.UUID | None]
) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    said: dict[tuple[uuid.UUID, str], tuple[int, object]] = {}
    classes = BUILT_IN[head.name].classes if head.name in BUILT_IN else ()
    for n, (item, post_id) in enumerate(zip(judgements, ids, strict=True)):
        where = f"judgements.{n}"
        if post_id is None:
            problems.append(FieldProblem(f"{where}.post", "there is no such post"))
            continue
        problem = _wrong_label(item, task, classes)
        if problem:
            problems.append(FieldProblem(f"{where}.{problem[0]}", problem[1]))
            continue
        key = (post_id, item.label if task == "tags" else "")
        word: object = (item.label, item.value)
        first = said.setdefault(key, (n, word))
        if first[1] != word:
            problems.append(FieldProblem(where, f"contradicts judgements.{first[0]} on the same post"))
    return problems


def _wrong_label(item: Judgement, task: Task, classes: tuple[str, ...]) -> tuple[str, str] | None:
    if task == "number":
        if item.label:
            return "label", "must be absent: the head learns a number"
        small = math.isfinite(item.value) and abs(item.value) <= MOST
        return None if small else ("value", f"must be a number from {-MOST:g} to {MOST:g}")
    if "\0" in item.label:
        return "label", "must not contain NUL characters"
    if not 1 <= len(item.label) <= MAX_LABEL or item.label.strip() != item.label:
        return "label", f"must have 1 to {MAX_LABEL} characters, and no white space around them"
    if classes and item.label not in classes:
        return "label", f"must be one of {', '.join(classes)}"
    if item.value not in ((0.0, 1.0) if task == "tags" else (1.0,)):
        return "value", "must be 0 or 1" if task == "tags" else "must be 1 or absent"
    return None
