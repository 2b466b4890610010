"""Fingerprints of posts and their media."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, Identity, Index, SmallInteger
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class FingerprintRow(Base):
    """One fingerprint of a text, a medium, or a frame of one. A row is never changed, only replaced.

    Rows become visible in the order of ``seq`` (their writers take turns), so whoever has read up to one has all
    before it.

    Attributes:
        media_id: of which medium; None for the post's text.
        frame: of which frame of a video, as in ``media_frames``; None for a still image.
        seconds: where in the video.
        kind: as the fingerprinter names it.
        quality: 0 to 100, how much there is to tell it by.
    """

    __tablename__ = "fingerprints"
    __table_args__ = (
        Index(None, "post_id"),
        Index(None, "media_id"),
        Index("ix_fingerprints_catch_up", "kind", "seq"),
        Index("ix_fingerprints_exact", "kind", "value", postgresql_where=sql("kind IN ('md5', 'sha256', 'text')")),
    )

    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    media_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("media.id", ondelete="CASCADE"))
    frame: Mapped[int | None]
    seconds: Mapped[float | None] = mapped_column(Float)
    kind: Mapped[str]
    value: Mapped[bytes]
    quality: Mapped[int] = mapped_column(SmallInteger)


class Fingerprinted(Base):
    """Of which content a post's fingerprints are, and what could not be fingerprinted.

    Attributes:
        content: hash of the text, the media and the recipe of the fingerprints.
        failures: ``media_id``, ``code`` and ``reason`` of each medium that nothing can be said of.
    """

    __tablename__ = "fingerprinted"

    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[bytes]
    failures: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
