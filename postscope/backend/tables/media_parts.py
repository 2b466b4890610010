"""What was understood of a medium: its parts, the words in it, and the frames of it that have vectors."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class MediaPart(Base):
    """What became of one part of a medium; a part that was not looked at yet has no row.

    Attributes:
        part: ``frames``, ``speech`` or ``words`` (in pictures).
        state: done, partial, empty (there is nothing) or failed; ``code`` and ``reason`` say why.
    """

    __tablename__ = "media_parts"
    __table_args__ = (
        CheckConstraint("part IN ('frames', 'speech', 'words')", name="part"),
        CheckConstraint("state IN ('done', 'partial', 'empty', 'failed')", name="state"),
    )

    media_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("media.id", ondelete="CASCADE"), primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    code: Mapped[str | None]
    reason: Mapped[str | None]


class LooseBlob(Base):
    """A blob that lost a user. A sweep deletes it after a while, unless somebody uses it (again)."""

    __tablename__ = "loose_blobs"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]


class MediaText(Base):
    """Words that were spoken in a medium or are written in its picture.

    Attributes:
        kind: ``speech`` or ``picture``.
        number: order within the medium and kind.
        start_seconds: where it begins; None in a still image.
        end_seconds: where it ends.
        language: ISO 639-1, None where it cannot be told.
        language_confidence: how sure the language is, 0 to 1.
        confidence: of the recognition, 0 to 1.
        detail: of speech, ``words``, each ``[start, end, word, confidence]``; of a picture, ``boxes``, one a line, each
            four corners ``[x, y]`` clockwise from the upper left, as fractions of its width and height.
    """

    __tablename__ = "media_texts"
    __table_args__ = (
        CheckConstraint("kind IN ('speech', 'picture')", name="kind"),
        UniqueConstraint("media_id", "kind", "number"),
        Index(None, "post_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    media_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("media.id", ondelete="CASCADE"))
    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    kind: Mapped[str]
    number: Mapped[int]
    text: Mapped[str]
    start_seconds: Mapped[float | None] = mapped_column(Float)
    end_seconds: Mapped[float | None] = mapped_column(Float)
    language: Mapped[str | None]
    language_confidence: Mapped[float | None] = mapped_column(Float)
    confidence: Mapped[float | None] = mapped_column(Float)
    detail: Mapped[dict[str, Any] | None]


class MediaFrame(Base):
    """A frame of a video or animation that has a vector. ``sha256`` names the blob with its picture, a small JPEG.

    Rows of a post's ``media`` multivector are its indexed media in order, each with its frames by ``number``; a
    still image has one row there and no frame here.
    """

    __tablename__ = "media_frames"
    __table_args__ = (Index(None, "sha256"),)

    media_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("media.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seconds: Mapped[float] = mapped_column(Float)
    sha256: Mapped[str]
