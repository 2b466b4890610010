"""What was found of a post in the banks, what people said of it, and what followed."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Float, ForeignKey, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class PostCheck(Base):
    """The verdict of the banks on a post: ``match``, ``no_match`` or ``could_not_check``.

    Attributes:
        version: of the post that was checked.
        change: how far the banks had been read.
        asked: how far they had been changed when the check began; more than ``change`` while a large import is being
            read: the post is then checked again.
        unlooked: entries whose look-alikes could not be looked for, because their vectors were of another space.
        unchecked: parts that could not be checked, each with ``part``, ``code`` and ``reason``.
    """

    __tablename__ = "post_checks"
    __table_args__ = (
        CheckConstraint("verdict IN ('match', 'no_match', 'could_not_check')", name="verdict"),
        Index(None, "verdict", "checked_at"),
        Index("ix_post_checks_behind", "asked", postgresql_where=sql("change < asked")),
        Index("ix_post_checks_unlooked", "post_id", postgresql_where=sql("unlooked > 0")),
    )

    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int]
    verdict: Mapped[str]
    change: Mapped[int] = mapped_column(BigInteger)
    asked: Mapped[int] = mapped_column(BigInteger)
    unlooked: Mapped[int] = mapped_column(server_default=sql("0"))
    unchecked: Mapped[list[dict[str, Any]]] = mapped_column(JSONB(none_as_null=True))
    checked_at: Mapped[datetime]


class BankMatch(Base):
    """A post matches an entry.

    Attributes:
        tier: ``copy`` or ``look_alike``: never mixed.
        kind: of the hash that matched; ``vector`` of a look-alike.
        score: 0 to 1, 1 is the same.
        distance: in the unit of the kind: bits of PDQ, else 1 - score.
        part: ``text`` or ``media``.
        place: position of the medium; None for the text.
        suppressed_by: an entry of a harmless bank that is as near or nearer to the same part.
        current: it still matched when the post was last checked.
        decision: ``confirmed`` or ``rejected`` by a person, None while nobody has said.
        run_id: the sweep through history that found it; None when the post was new.
    """

    __tablename__ = "bank_matches"
    __table_args__ = (
        UniqueConstraint("post_id", "entry_id", "tier"),
        CheckConstraint("tier IN ('copy', 'look_alike')", name="tier"),
        CheckConstraint("part IN ('text', 'media')", name="part"),
        CheckConstraint("decision IN ('confirmed', 'rejected')", name="decision"),
        Index(None, "entry_id", "created_at"),
        Index(None, "bank_id", "created_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    bank_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("banks.id", ondelete="CASCADE"))
    entry_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("bank_entries.id", ondelete="CASCADE"))
    tier: Mapped[str]
    kind: Mapped[str]
    score: Mapped[float] = mapped_column(Float)
    distance: Mapped[float] = mapped_column(Float)
    part: Mapped[str]
    place: Mapped[int | None]
    evidence: Mapped[dict[str, Any]]
    suppressed_by: Mapped[uuid.UUID | None]
    current: Mapped[bool] = mapped_column(Boolean, server_default=sql("true"))
    decision: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    run_id: Mapped[uuid.UUID | None]
    created_at: Mapped[datetime]


class BankDecision(Base):
    """What a person said of a match; it outlives the post, which is often removed for it."""

    __tablename__ = "bank_decisions"
    __table_args__ = (
        CheckConstraint("decision IN ('confirmed', 'rejected')", name="decision"),
        Index(None, "entry_id", "at"),
        Index(None, "bank_id"),
    )

    match_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    bank_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("banks.id", ondelete="CASCADE"))
    entry_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("bank_entries.id", ondelete="CASCADE"))
    post_id: Mapped[uuid.UUID]
    decision: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime]


class ActionRule(Base):
    """What follows from a match. A condition that is None or empty holds always.

    Attributes:
        banks: matches in these.
        min_severity: of the entry.
        tiers: ``copy``, ``look_alike``.
        kinds: of the hash.
        min_score: of the match.
        min_reach: of the post, see ``banks.actions.reach``.
        outcomes: each with ``do``: ``tag`` (with ``tag``), ``hold``, or ``webhook``.
    """

    __tablename__ = "action_rules"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    banks: Mapped[list[uuid.UUID]]
    min_severity: Mapped[str]
    tiers: Mapped[list[str]]
    kinds: Mapped[list[str]]
    min_score: Mapped[float] = mapped_column(Float)
    min_reach: Mapped[float] = mapped_column(Float)
    outcomes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB(none_as_null=True))
    enabled: Mapped[bool] = mapped_column(Boolean, server_default=sql("true"))
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class ActionTaken(Base):
    """A rule's outcome for a match, taken once however often the post is checked."""

    __tablename__ = "actions_taken"
    __table_args__ = (Index(None, "post_id"), Index(None, "tag", postgresql_where=sql("tag IS NOT NULL")))

    match_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("bank_matches.id", ondelete="CASCADE"), primary_key=True)
    rule_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("action_rules.id", ondelete="CASCADE"), primary_key=True)
    outcome: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    action: Mapped[str]
    tag: Mapped[str | None]
    at: Mapped[datetime]


class ReviewItem(Base):
    """Something that a moderator is to look at.

    Attributes:
        kind: ``hold`` (a rule asks for it), ``could_not_check``, or ``quarantine`` (an entry that flooded).
        severity: the most severe of what it is about; the queue begins with it.
        bank_id: the bank it is about, so that nobody sees it who may not see the bank.
        claimed_until: after this anybody may claim it again.
        state: ``open`` or ``decided``; an open one that came to nothing is ``withdrawn``.
    """

    __tablename__ = "review_items"
    __table_args__ = (
        CheckConstraint("kind IN ('hold', 'could_not_check', 'quarantine')", name="kind"),
        CheckConstraint("state IN ('open', 'decided', 'withdrawn')", name="state"),
        Index(
            "uq_review_items_open", "kind", "post_id", "entry_id", unique=True, postgresql_nulls_not_distinct=True,
            postgresql_where=sql("state = 'open'"),
        ),
        Index("ix_review_items_queue", "severity", "created_at", postgresql_where=sql("state = 'open'")),
        Index("ix_review_items_entry_id", "entry_id", postgresql_where=sql("entry_id IS NOT NULL")),
        Index("ix_review_items_post_id", "post_id", postgresql_where=sql("post_id IS NOT NULL")),
    )  # fmt: skip

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    post_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    entry_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("bank_entries.id", ondelete="CASCADE"))
    bank_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("banks.id", ondelete="CASCADE"))
    severity: Mapped[int]
    reason: Mapped[str]
    detail: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default=sql("'open'"))
    claimed_by: Mapped[str | None]
    claimed_until: Mapped[datetime | None]
    decision: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
