"""Tells the vector store which topic a post is in, so that searches can filter and count by it.

``topic_members`` is the truth; each row also says what the store was last told. Where the two differ the store is due
to be told, whoever changed the row: a sweep does it within seconds. Until then ``in_topics`` makes up for the
difference, so that a search by topic is right at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Topic, TopicMember
from postscope.indexing.types import AnyOf, Condition, Filter, HasId, Payload, PayloadValue

TopicPlace: TypeAlias = tuple[UUID | None, UUID | None]
"""A topic and its sub-topic."""
FIELD: Final = "topics"
"""Of the payload: the ids of the topic and of the sub-topic. Themes are looked up: their topics change."""
BATCH: Final = 1_000
MERGES: Final = 50
"""Merges that are followed one after the other; more would be a circle."""

DUE: Final = or_(
    TopicMember.topic_id.is_distinct_from(TopicMember.told_topic_id),
    TopicMember.subtopic_id.is_distinct_from(TopicMember.told_subtopic_id),
)


def payload_topics(place: TopicPlace) -> list[PayloadValue]:
    """What the payload of a post says under ``topics``."""
    return [str(one) for one in place if one is not None]


def topic_places(session: Session, ids: Sequence[UUID]) -> dict[UUID, TopicPlace]:
    """Where these posts are, of those that were looked at."""
    rows = session.execute(
        select(TopicMember.post_id, TopicMember.topic_id, TopicMember.subtopic_id).where(TopicMember.post_id.in_(ids))
    )
    return {row.post_id: (row.topic_id, row.subtopic_id) for row in rows}


def note_told(session: Session, told: Mapping[UUID, TopicPlace]) -> None:
    """The store has been told this; where a post is somewhere else by now, it is due to be told again."""
    if not told:
        return
    session.execute(
        text(
            "UPDATE topic_members m SET told_topic_id = said.topic, told_subtopic_id = said.subtopic "
            "FROM unnest(CAST(:posts AS uuid[]), CAST(:topics AS uuid[]), CAST(:subtopics AS uuid[])) "
            "AS said(post, topic, subtopic) WHERE m.post_id = said.post "
            "AND (m.told_topic_id IS DISTINCT FROM said.topic OR m.told_subtopic_id IS DISTINCT FROM said.subtopic)"
        ),
        {
            "posts": list(told),
            "topics": [topic for topic, _ in told.values()],
            "subtopics": [subtopic for _, subtopic in told.values()],
        },
    )


def tell(runtime: Runtime, *, most: int) -> int:
    """Tell the store what is due, up to ``most`` posts; returns how many it was told of.

    Rows that somebody is changing are left for the next time.
    """
    told = 0
    while told < most:
        runtime.gate.pause_for_queries()
        count = _tell_some(runtime, min(BATCH, most - told))
        told += count
        if count < BATCH:
            break
    return told


def _tell_some(runtime: Runtime, most: int) -> int:
    collections = [model.collection for model in runtime.write_models()]
    with runtime.database.session() as session:
        due = select(TopicMember).where(DUE).limit(most).with_for_update(skip_locked=True)
        members = list(session.scalars(due))
        payloads: dict[UUID, Payload] = {
            member.post_id: {FIELD: payload_topics((member.topic_id, member.subtopic_id))} for member in members
        }
        # Before the commit, under the lock of the rows: if the store refuses, they stay due.
        for collection in collections if payloads else ():
            runtime.store.set_payload(collection, payloads)
        for member in members:
            member.told_topic_id, member.told_subtopic_id = member.topic_id, member.subtopic_id
    return len(members)


def resolve(session: Session, topic_id: UUID) -> Topic | None:
    """The topic, or what it was merged into; None where there is none."""
    topic = session.get(Topic, topic_id)
    for _ in range(MERGES):
        if topic is None or topic.merged_into is None:
            break
        topic = session.get(Topic, topic.merged_into)
    return topic


def in_topics(session: Session, named: Iterable[tuple[str, UUID]]) -> dict[UUID, Condition]:
    """For the store: what holds of the posts of each of these topics, and of no others.

    Args:
        session: to read with.
        named: the field that names a topic, and the topic; a theme is its topics, a merged one what it became.

    Raises:
        Invalid: there is no such topic; names every field.
    """
    found: dict[UUID, Condition] = {}
    problems: list[FieldProblem] = []
    for field, topic_id in named:
        topic = resolve(session, topic_id)
        if topic is None:
            problems.append(FieldProblem(field, f"there is no topic {topic_id}"))
        elif topic_id not in found:
            found[topic_id] = _in_topic(session, topic)
    if problems:
        raise Invalid("; ".join(f"{one.field}: {one.reason}" for one in problems), problems=problems)
    return found


def _in_topic(session: Session, topic: Topic) -> Condition:
    ids = [topic.id]
    if topic.layer == "theme":
        ids = list(session.scalars(select(Topic.id).where(Topic.parent_id == topic.id).order_by(Topic.id)))
    now = or_(TopicMember.topic_id.in_(ids), TopicMember.subtopic_id.in_(ids))
    told = or_(TopicMember.told_topic_id.in_(ids), TopicMember.told_subtopic_id.in_(ids))
    due = session.execute(select(TopicMember.post_id, now.label("now")).where(DUE, or_(now, told))).all()
    there = AnyOf(FIELD, tuple(map(str, ids)))
    if not due:
        return there
    come = HasId(tuple(row.post_id for row in due if row.now))
    gone = HasId(tuple(row.post_id for row in due if not row.now))
    return Filter(should=(Filter(must=(there,), must_not=(gone,)), come))
