"""Edits taken back, while no later one builds on them."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from postscope.backend import audit, work
from postscope.backend.errors import Conflict, NotFound
from postscope.backend.tables import Topic, TopicEdit, TopicMember
from postscope.backend.topics.applying import lock
from postscope.backend.topics.reading import get
from postscope.backend.work import Stage


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
