"""What people decide about topics. Each edit is audited, and can be undone while no later one builds on it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from postscope.backend import work
from postscope.backend.errors import Invalid
from postscope.backend.tables import Topic, TopicEdit, TopicExclusion
from postscope.backend.topics.edit import Edit, living, members_only
from postscope.backend.work import Stage


def change(
    session: Session,
    topic_id: uuid.UUID,
    *,
    name: str | None,
    rename: bool,
    hidden: bool | None,
    pinned: bool | None,
    actor: str,
    now: datetime,
) -> TopicEdit:
    """Rename a topic (None: the machine may name it again), hide or show it, pin or unpin it."""
    edit = Edit(session, "change", actor=actor, now=now)
    topic = living(session, topic_id)
    edit.touch(topic)
    if rename:
        topic.named_by = actor if name is not None else None
        topic.name = name if name is not None else topic.name
    topic.hidden = topic.hidden if hidden is None else hidden
    topic.pinned = topic.pinned if pinned is None else pinned
    topic.updated_at = now
    said: dict[str, Any] = {"name": name} if rename else {}
    said |= {key: value for key, value in (("hidden", hidden), ("pinned", pinned)) if value is not None}
    return edit.finish(**said)


def merge(session: Session, into_id: uuid.UUID, others: Sequence[uuid.UUID], *, actor: str, now: datetime) -> TopicEdit:
    """Put topics into another; later discoveries keep them together."""
    edit = Edit(session, "merge", actor=actor, now=now)
    into = living(session, into_id)
    if into_id in others:
        raise Invalid.of("topic_ids", "must not name the topic that the others are merged into")
    edit.touch(into)
    into.absorbs, into.updated_at = True, now
    moved = 0
    for other_id in dict.fromkeys(others):
        other = living(session, other_id, field="topic_ids")
        if other.layer != into.layer or (other.layer == "subtopic" and other.parent_id != into.parent_id):
            raise Invalid.of("topic_ids", "must be of the same layer, and sub-topics of the same topic")
        edit.touch(other)
        moved += _merge_one(session, edit, into, other)
    return edit.finish(into=str(into_id), merged=[str(other) for other in others], posts=moved)


def exclude(
    session: Session, topic_id: uuid.UUID, posts: Sequence[uuid.UUID], *, actor: str, now: datetime
) -> TopicEdit:
    """Say that posts do not belong to a topic: they leave it, and nothing puts them there again."""
    edit = Edit(session, "exclude", actor=actor, now=now)
    topic = living(session, topic_id)
    if topic.layer != "topic":
        raise Invalid.of("topic_id", f"is a {topic.layer}: posts belong to topics")
    edit.touch(topic)
    members_only(session, topic, posts)
    edit.move(posts, out_of=topic, to=None, by=None)
    rows = [{"post_id": post, "topic_id": topic.id, "edit_id": edit.row.id} for post in posts]
    session.execute(upsert(TopicExclusion).values(rows).on_conflict_do_nothing())
    # The next look finds them another topic, if one fits.
    work.add(session, Stage.ENRICH, list(posts), now=now, request_id=None)
    return edit.finish(posts=len(posts), post_ids=[str(post) for post in posts])


def recent(session: Session, *, topic_id: uuid.UUID | None, before: uuid.UUID | None, limit: int) -> list[TopicEdit]:
    """The newest edits first, of one topic or of all; ``before`` is the edit to go on from."""
    query = select(TopicEdit).order_by(TopicEdit.id.desc()).limit(limit)
    if topic_id is not None:
        query = query.where(TopicEdit.touched.overlap([topic_id]))
    if before is not None:
        query = query.where(TopicEdit.id < before)
    return list(session.scalars(query))


def _merge_one(session: Session, edit: Edit, into: Topic, other: Topic) -> int:
    children = list(session.scalars(select(Topic).where(Topic.parent_id == other.id)))
    for child in children:
        edit.touch(child)
        child.parent_id = into.id
    moved = 0
    if into.layer == "topic":
        moved = edit.move(None, out_of=other, to=into, by=None)
    elif into.layer == "subtopic":
        moved = edit.move_part(other, into)
    into.reach = min(into.reach, other.reach)
    # How far the two spread together is for the next discovery to measure.
    into.floor = None
    other.state, other.merged_into, other.updated_at = "merged", into.id, edit.now
    edit.tell("merge", from_id=other.id, to_id=into.id)
    return moved
