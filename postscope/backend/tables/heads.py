"""Trained heads, their versions, and what they say of posts."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Float, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class Head(Base):
    """Something that is learned from labels, under a name.

    Attributes:
        task: ``tags``, ``classes`` or ``number``.
        set_id: the judgements that it learns from; None where ``target`` says what.
        target: ``engagement``: the logarithm of likes, comments and shares, once a post is old enough.
        fields: what is known of a post beside its content that the head may use: ``source``, ``language``, ``time``,
            ``length``, ``media`` and ``metadata.NAME`` (``metadata.*``: all). Never its metrics, which nobody knows
            when it is posted.
        window_days: how far back labels are learned from; None: all of them.
        retrain_days: it is trained again when the live version is as old; None: never by time.
    """

    __tablename__ = "heads"
    __table_args__ = (
        CheckConstraint("task IN ('tags', 'classes', 'number')", name="task"),
        CheckConstraint("(set_id IS NULL) <> (target IS NULL)", name="one_source"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    task: Mapped[str]
    set_id: Mapped[int | None] = mapped_column(ForeignKey("label_sets.id"))
    target: Mapped[str | None]
    fields: Mapped[list[str]]
    window_days: Mapped[float | None] = mapped_column(Float)
    retrain_days: Mapped[float | None] = mapped_column(Float)
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class HeadVersion(Base):
    """One training of a head. ``state``: candidate, shadow (scores unseen), live (shown), retired.

    Attributes:
        space_id: of the vectors that it reads; in another live space it must be trained again.
        data_hash: SHA-256 of the posts, vectors' space and judgements that it learned from.
        code_version: of Postscope that trained it.
        cause: ``asked``, ``schedule``, ``drift`` or ``space``.
        window_from: of the oldest post it learned from; ``window_to``: of the newest.
        report: measures on held-out posts, recipes that were compared, thresholds.
        reference: what vectors and scores looked like in training, to tell drift by.
        model: skops, without pickles; ``judged``: the same head without the held-out posts.
        trained_on: ids of posts, 16 bytes each: first those that ``judged`` was taught, as many as ``taught`` in the
            report says, then those that were held out; each sorted. Older versions say no number, and all are sorted.
        share: of posts that are shown this version instead of the live one, by their id; A/B.
        served: how many predictions were shown to anybody.
    """

    __tablename__ = "head_versions"
    __table_args__ = (
        UniqueConstraint("head_id", "number"),
        CheckConstraint("state IN ('candidate', 'shadow', 'live', 'retired')", name="state"),
        CheckConstraint("share >= 0 AND share <= 1", name="share"),
        Index("uq_head_versions_live", "head_id", unique=True, postgresql_where=sql("state = 'live'")),
        Index("uq_head_versions_shadow", "head_id", unique=True, postgresql_where=sql("state = 'shadow'")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    head_id: Mapped[int] = mapped_column(ForeignKey("heads.id", ondelete="CASCADE"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=sql("'candidate'"))
    space_id: Mapped[str]
    data_hash: Mapped[bytes]
    code_version: Mapped[str]
    cause: Mapped[str]
    window_from: Mapped[datetime | None]
    window_to: Mapped[datetime | None]
    posts: Mapped[int]
    report: Mapped[dict[str, Any]]
    reference: Mapped[dict[str, Any]]
    model: Mapped[bytes]
    judged: Mapped[bytes]
    trained_on: Mapped[bytes]
    share: Mapped[float] = mapped_column(Float, server_default=sql("0"))
    served: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))
    actor: Mapped[str]
    created_at: Mapped[datetime]
    live_since: Mapped[datetime | None]
    live_until: Mapped[datetime | None]


class HeadScore(Base):
    """What a version says of a post: probabilities of its labels in order, or a number and its interval."""

    __tablename__ = "head_scores"
    __table_args__ = (Index(None, "post_id"), Index(None, "version_id", "at"))

    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("head_versions.id", ondelete="CASCADE"), primary_key=True)
    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    values: Mapped[list[float]]
    shown: Mapped[bool] = mapped_column(Boolean)
    at: Mapped[datetime]


class HeadDrift(Base):
    """How far what a live version sees now is from what it learned from.

    Attributes:
        posts: that it scored and was not taught; ``embedding`` and ``score`` are None where they are too few to
            compare.
        precision: of ``judged`` corrections by people; None where they are too few.
        drifted: whether a distance is more than chance gives.
    """

    __tablename__ = "head_drift"

    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("head_versions.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    posts: Mapped[int]
    embedding: Mapped[float | None] = mapped_column(Float)
    score: Mapped[float | None] = mapped_column(Float)
    judged: Mapped[int]
    precision: Mapped[float | None] = mapped_column(Float)
    drifted: Mapped[bool] = mapped_column(Boolean)
