"""How posts sound, and what was found to burst."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class PostSentiment(Base):
    """How a post sounds: three shares that sum to 1. ``scorer`` says who thinks so."""

    __tablename__ = "post_sentiment"

    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    scorer: Mapped[str]
    negative: Mapped[float] = mapped_column(Float)
    neutral: Mapped[float] = mapped_column(Float)
    positive: Mapped[float] = mapped_column(Float)


class Alert(Base):
    """A burst that was found on the stream.

    Attributes:
        kind: ``candidate`` (a tight group of posts that no topic explains) or ``growth`` (of a known topic).
        state: ``open``, ``acknowledged`` or ``dismissed``; the latter two by a person.
        key: names the burst itself, so that two workers that find it at once raise it once.
        raised_at: when it was found.
        since: start of the window that was tested; the burst was first seen there.
        until: the newest of its posts when it was last looked at.
        observed: posts in that window, near-copies and further posts of one author not counted.
        expected: what the history of the same place in the space, or of the topic, would give there.
        low: the least of 95 of 100 cases.
        high: the most of 95 of 100 cases.
        probability: of as many or more without any burst.
        posts: all posts of the burst, copies and all.
        authors: distinct authors of them.
        marks: ``single_author``, ``near_copies``: why it may not be what it seems.
        evidence: ``post_ids``, the radius as cosine, and what else the decision rests on.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        UniqueConstraint("key"),
        CheckConstraint("kind IN ('candidate', 'growth')", name="kind"),
        CheckConstraint("state IN ('open', 'acknowledged', 'dismissed')", name="state"),
        Index(None, "raised_at"),
        Index(None, "topic_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    key: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str]
    topic_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("topics.id"))
    raised_at: Mapped[datetime]
    since: Mapped[datetime]
    until: Mapped[datetime]
    observed: Mapped[int]
    expected: Mapped[float] = mapped_column(Float)
    low: Mapped[int]
    high: Mapped[int]
    probability: Mapped[float] = mapped_column(Float)
    posts: Mapped[int]
    authors: Mapped[int]
    marks: Mapped[list[str]]
    evidence: Mapped[dict[str, Any]]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    note: Mapped[str | None]
