"""Posts that are copies of each other."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class DuplicateGroup(Base):
    """Copies of one post, the anchor, which is the earliest: every member matches the anchor itself.

    A trigger keeps ``size`` (the anchor counts), and removes a group that has one member left.

    Attributes:
        anchor_id: None from the moment the anchor is deleted until a worker has chosen another.
        size: members there are now.
    """

    __tablename__ = "duplicate_groups"
    __table_args__ = (
        UniqueConstraint("anchor_id"),
        Index(None, "size", "id"),
        Index("ix_duplicate_groups_orphans", "id", postgresql_where=sql("anchor_id IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    anchor_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("posts.id", ondelete="SET NULL"))
    size: Mapped[int] = mapped_column(server_default=sql("0"))
    created_at: Mapped[datetime]


class DuplicateMember(Base):
    """A post in a group; a post is in one at most.

    Attributes:
        score: of the match with the anchor, 0.5 to 1; 1 for the anchor itself.
        evidence: which part matches which, and how; empty for the anchor.
    """

    __tablename__ = "duplicate_members"
    __table_args__ = (Index(None, "group_id"),)

    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    group_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("duplicate_groups.id", ondelete="CASCADE"))
    score: Mapped[float] = mapped_column(Float)
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)


class DuplicatePair(Base):
    """A copy that is no member of the other's group: it matches a member, but not the anchor.

    Kept once, with the post that was looked at later as ``post_id``.
    """

    __tablename__ = "duplicate_pairs"
    __table_args__ = (Index(None, "other_id"), CheckConstraint("post_id <> other_id", name="two_posts"))

    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    other_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    score: Mapped[float] = mapped_column(Float)
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
