"""What people decide about topics. Each edit is audited, and can be undone while no later one builds on it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import uuid_utils
from sqlalchemy import Select, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from postscope.backend import audit, work
from postscope.backend.errors import Conflict, Invalid, NotFound
from postscope.backend.tables import (
    Topic,
    TopicEdit,
    TopicEditPost,
    TopicExclusion,
    TopicLineage,
    TopicMember,
)
from postscope.backend.topics.applying import lock
from postscope.backend.topics.reading import get
from postscope.backend.work import Stage

RESTORED: Final = (
    "name", "named_by", "hidden", "pinned", "absorbs", "state", "merged_into", "parent_id", "reach", "floor",
)  # fmt: skip
"""Columns that an undo brings back."""
LIVING: Final = ("active", "candidate")


class Edit:
    """One edit in the making: notes what was there before anything is changed.

    Args:
        session: the edit exists when it commits.
        action: such as ``rename``.
        actor: who decides.
        now: the time.
    """

    def __init__(self, session: Session, action: str, *, actor: str, now: datetime) -> None:
        lock(session)
        self.session, self.actor, self.now = session, actor, now
        self.row = TopicEdit(
            id=uuid.UUID(str(uuid_utils.uuid7())), at=now, actor=actor, action=action, touched=[], params={}, before={}
        )

    def touch(self, topic: Topic) -> None:
        """This topic will be changed."""
        before = {name: getattr(topic, name) for name in RESTORED}
        self._note(topic, {k: str(v) if isinstance(v, uuid.UUID) else v for k, v in before.items()})

    def made(self, topic: Topic) -> None:
        """This topic is new."""
        self._note(topic, None)

    def move(self, posts: Sequence[uuid.UUID] | None, *, out_of: Topic | None, to: Topic | None, by: str | None) -> int:
        """Move posts, or all of a topic's, and note where they were; what other people said of a post stays.

        Args:
            posts: None for all.
            out_of: only posts that are there.
            to: None for nowhere.
            by: who said so, where later discoveries are to leave the post there.
        """
        chosen = select(TopicMember).where(
            TopicMember.post_id.in_(posts) if posts is not None else TopicMember.topic_id.is_not(None)
        )
        if out_of is not None:
            chosen = chosen.where(TopicMember.topic_id == out_of.id)
        members = self._noted(chosen)
        for member in members:
            kept_part = to is not None and out_of is not None and to.absorbs and by is None
            member.topic_id, member.assigned_at = to.id if to else None, self.now
            member.subtopic_id = member.subtopic_id if kept_part else None
            member.corrected_by = by or (member.corrected_by if to else None)
            member.strength = 1.0 if by else (member.strength if to else 0.0)
        return len(members)

    def move_part(self, out_of: Topic, to: Topic) -> int:
        """Move all posts of a sub-topic to another of the same topic, and note where they were."""
        members = self._noted(select(TopicMember).where(TopicMember.subtopic_id == out_of.id))
        for member in members:
            member.subtopic_id = to.id
        return len(members)

    def tell(self, kind: str, *, from_id: uuid.UUID | None, to_id: uuid.UUID | None) -> None:
        """Add to the lineage."""
        self.session.flush()
        self.session.add(TopicLineage(at=self.now, edit_id=self.row.id, kind=kind, from_id=from_id, to_id=to_id))

    def finish(self, **params: Any) -> TopicEdit:
        """Write it down, here and in the audit log."""
        self.row.params = params
        self.session.add(self.row)
        subject = f"topic:{self.row.touched[0]}"
        evidence = {"edit": str(self.row.id), "touched": [str(one) for one in self.row.touched], **params}
        audit.record(
            self.session, actor=self.actor, action=f"topic.{self.row.action}", subject=subject, evidence=evidence,
            now=self.now,
        )  # fmt: skip
        self.session.flush()
        return self.row

    def _noted(self, chosen: Select[TopicMember]) -> list[TopicMember]:
        """The chosen members, locked; an undo will know where they were."""
        members = list(self.session.scalars(chosen.with_for_update()))
        if members:
            self.session.add(self.row)
            self.session.flush()
            self.session.execute(
                insert(TopicEditPost),
                [
                    {"edit_id": self.row.id, "post_id": m.post_id, "topic_id": m.topic_id, "subtopic_id": m.subtopic_id,
                     "strength": m.strength, "corrected_by": m.corrected_by}
                    for m in members
                ],
            )  # fmt: skip
        return members

    def _note(self, topic: Topic, before: dict[str, Any] | None) -> None:
        if str(topic.id) not in self.row.before:
            self.row.touched = [*self.row.touched, topic.id]
            self.row.before = {**self.row.before, str(topic.id): before}


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


def members_only(session: Session, topic: Topic, posts: Sequence[uuid.UUID]) -> None:
    """Raises ``Invalid`` naming the first of the posts that does not belong to the topic."""
    found = set(
        session.scalars(
            select(TopicMember.post_id).where(TopicMember.post_id.in_(posts), TopicMember.topic_id == topic.id)
        )
    )
    for place, post in enumerate(posts):
        if post not in found:
            raise Invalid.of(f"post_ids.{place}", f"post {post} does not belong to this topic")


def undo(session: Session, edit_id: uuid.UUID, *, actor: str, now: datetime) -> TopicEdit:
    """Take an edit back: topics are as they were, and posts that are still where it put them go back.

    Raises:
        NotFound: there is no such edit.
        Conflict: ``edit_undone`` already, or ``edit_superseded``: a later edit of the same topics stands.
    """
    lock(session)
    edit = session.get(TopicEdit, edit_id, with_for_update=True)
    if edit is None:
        raise NotFound(f"there is no edit {edit_id}")
    if edit.undone_at is not None:
        raise Conflict("this edit is undone already", code="edit_undone")
    later = session.scalar(
        select(TopicEdit.id)
        .where(TopicEdit.id > edit.id, TopicEdit.undone_at.is_(None), TopicEdit.touched.overlap(edit.touched))
        .order_by(TopicEdit.id.desc())
        .limit(1)
    )
    if later is not None:
        raise Conflict(f"a later edit of the same topics stands: undo {later} first", code="edit_superseded")
    edit.undone_at, edit.undone_by = now, actor
    _put_back(session, edit, now)
    audit.record(
        session, actor=actor, action="topic.undo", subject=f"topic:{edit.touched[0]}",
        evidence={"edit": str(edit.id), "of": edit.action}, now=now,
    )  # fmt: skip
    return edit


def _put_back(session: Session, edit: TopicEdit, now: datetime) -> None:
    topics = [get(session, topic_id, lock=True) for topic_id in edit.touched]
    for topic in topics:
        before = edit.before[str(topic.id)]
        topic.updated_at = now
        if before is None:  # it was made by this edit: nobody is to find it again
            topic.state, topic.hidden, topic.pinned = "dead", True, False
            topic.kind, topic.centroid = "discovered", bytes(len(topic.centroid))
            continue
        for name, value in before.items():
            setattr(topic, name, uuid.UUID(value) if name in ("parent_id", "merged_into") and value else value)
    session.flush()
    session.execute(text("DELETE FROM topic_exclusions WHERE edit_id = :edit"), {"edit": edit.id})
    # A merge of sub-topics left the topics of their posts alone, and so does its undo.
    session.execute(
        text(
            "UPDATE topic_members m SET subtopic_id = e.subtopic_id, assigned_at = :now FROM topic_edit_posts e "
            "WHERE e.edit_id = :edit AND m.post_id = e.post_id AND m.topic_id = e.topic_id "
            "AND m.subtopic_id = ANY(CAST(:touched AS uuid[]))"
        ),
        {"edit": edit.id, "now": now, "touched": edit.touched},
    )
    if all(topic.layer == "subtopic" for topic in topics):
        return
    session.execute(
        text(
            "UPDATE topic_members m SET topic_id = e.topic_id, subtopic_id = e.subtopic_id, strength = e.strength, "
            "corrected_by = e.corrected_by, assigned_at = :now FROM topic_edit_posts e WHERE e.edit_id = :edit "
            "AND m.post_id = e.post_id AND (m.topic_id IS NULL OR m.topic_id = ANY(CAST(:touched AS uuid[])))"
        ),
        {"edit": edit.id, "now": now, "touched": edit.touched},
    )
    # Posts that came to a topic which is no more, and those whose earlier topic ended meanwhile, are looked at again.
    homeless = session.scalars(
        update(TopicMember)
        .where(TopicMember.topic_id.in_(select(Topic.id).where(Topic.state == "dead", Topic.id.in_(edit.touched))))
        .values(topic_id=None, subtopic_id=None, strength=0.0, corrected_by=None)
        .returning(TopicMember.post_id)
    ).all()
    work.add(session, Stage.ENRICH, list(homeless), now=now, request_id=None)


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


def living(session: Session, topic_id: uuid.UUID, *, field: str = "topic_id") -> Topic:
    """A topic that has not ended; ``Conflict`` (``topic_ended``) where it has."""
    topic = get(session, topic_id, lock=True)
    if topic.state not in LIVING:
        raise Conflict(f"{field}: topic {topic_id} is {topic.state}", code="topic_ended")
    return topic
