"""One edit in the making, and what every edit asks of topics and posts first."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import uuid_utils
from sqlalchemy import Select, insert, select
from sqlalchemy.orm import Session

from postscope.backend import audit
from postscope.backend.errors import Conflict, Invalid
from postscope.backend.tables import Topic, TopicEdit, TopicEditPost, TopicLineage, TopicMember
from postscope.backend.topics.applying import lock
from postscope.backend.topics.reading import get

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


def living(session: Session, topic_id: uuid.UUID, *, field: str = "topic_id") -> Topic:
    """A topic that has not ended; ``Conflict`` (``topic_ended``) where it has."""
    topic = get(session, topic_id, lock=True)
    if topic.state not in LIVING:
        raise Conflict(f"{field}: topic {topic_id} is {topic.state}", code="topic_ended")
    return topic


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
