"""Posts, their media, and files that were uploaded."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
    func,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class Post(Base):
    """One post. ``version`` counts its changes; the store has it when ``indexed_version`` has caught up.

    ``language`` is what the client said. ``detected_language`` is that of the text in the version that is indexed, None
    for unknown, with ``language_confidence`` from 0 to 1.

    ``enriched_version`` follows: what is said of the post (tags, copies, matches, topic) is said of that version.
    """

    __tablename__ = "posts"
    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        Index(None, "created_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    source: Mapped[str]
    external_id: Mapped[str]
    author_hash: Mapped[str | None]
    created_at: Mapped[datetime]
    text: Mapped[str]
    language: Mapped[str | None]
    detected_language: Mapped[str | None]
    language_confidence: Mapped[float | None] = mapped_column(Float)
    tags: Mapped[list[str]]
    metrics: Mapped[dict[str, Any]]
    attributes: Mapped[dict[str, Any]] = mapped_column("metadata")
    record_hash: Mapped[bytes]
    content_hash: Mapped[bytes]
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    received_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    indexed_version: Mapped[int | None]
    indexed_at: Mapped[datetime | None]
    indexed_content: Mapped[bytes | None]
    enriched_version: Mapped[int | None]


def spoken_language() -> ColumnElement[str | None]:
    """Of a post: as given with it; where none was given, as its text tells."""
    return func.coalesce(Post.language, Post.detected_language)


class Upload(Base):
    """A file that was given to ``POST /v1/media``; its bytes are in the blob store under their SHA-256."""

    __tablename__ = "uploads"
    __table_args__ = (CheckConstraint("kind IN ('image', 'video', 'audio')", name="kind"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    mime: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    kind: Mapped[str]
    created_at: Mapped[datetime]


class Media(Base):
    """One medium of a post, in order. ``state``: waiting, ready (bytes are here), indexed, failed (with a reason).

    Attributes:
        kind: image, video (animations too) or audio; None until its bytes are here.
        understood_at: when it was taken apart into frames and words.
        joined_at: the ``understood_at`` of what the store has of it: they differ until that has joined.
    """

    __tablename__ = "media"
    __table_args__ = (
        UniqueConstraint("post_id", "position"),
        CheckConstraint("state IN ('waiting', 'ready', 'indexed', 'failed')", name="state"),
        CheckConstraint("(url IS NULL) <> (upload_id IS NULL)", name="one_origin"),
        CheckConstraint("kind IN ('image', 'video', 'audio')", name="kind"),
        Index(None, "sha256"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    position: Mapped[int]
    url: Mapped[str | None]
    upload_id: Mapped[uuid.UUID | None]
    sha256: Mapped[str | None]
    mime: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    kind: Mapped[str | None]
    duration_seconds: Mapped[float | None] = mapped_column(Float)
    state: Mapped[str]
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    understood_at: Mapped[datetime | None]
    joined_at: Mapped[datetime | None]
