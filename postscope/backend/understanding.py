"""What was understood of media, in the database: parts, frames and words."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from postscope.backend.loose_blobs import loosen_blobs
from postscope.backend.media_texts import write_texts
from postscope.backend.tables import Media, MediaFrame, MediaPart
from postscope.indexing.media.understand import Understood


class PartStatus(BaseModel):
    """One part of a medium: frames of a video, speech of a sound, words in pictures."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    part: str = Field(examples=["speech"])
    state: str = Field(description="done, partial, empty (there is nothing) or failed", examples=["empty"])
    code: str | None = Field(examples=["no_speech"])
    reason: str | None = Field(examples=["nobody speaks in it"])


def parts_of(session: Session, media: Sequence[Media]) -> dict[uuid.UUID, list[PartStatus]]:
    """What became of the parts of these media; those that were not looked at yet have none."""
    found: dict[uuid.UUID, list[PartStatus]] = defaultdict(list)
    ids = [medium.id for medium in media]
    for part in session.scalars(select(MediaPart).where(MediaPart.media_id.in_(ids)).order_by(MediaPart.part)):
        found[part.media_id].append(PartStatus.model_validate(part))
    return found


def waiting_media(session: Session, post_id: uuid.UUID) -> list[Media]:
    """Media of a post whose bytes are here and that were not taken apart yet, in order."""
    return list(
        session.scalars(
            select(Media)
            .where(
                Media.post_id == post_id,
                Media.understood_at.is_(None),
                Media.state.in_(("ready", "indexed")),
                Media.sha256.is_not(None),
            )
            .order_by(Media.position)
        )
    )


def unjoined(session: Session, post_id: uuid.UUID) -> bool:
    """Whether something of this post was understood that the store does not have yet."""
    return bool(
        session.scalar(
            select(Media.id)
            .where(
                Media.post_id == post_id,
                Media.understood_at.is_not(None),
                (Media.joined_at.is_distinct_from(Media.understood_at)) | (Media.state == "ready"),
                Media.state != "failed",
            )
            .limit(1)
        )
    )


def keep(session: Session, media_id: uuid.UUID, found: Understood, frames: Sequence[str], *, now: datetime) -> bool:
    """Write down what was understood of a medium, in the place of what was known.

    Args:
        session: all of it is known when it commits, or nothing.
        media_id: of the medium.
        found: what was understood.
        frames: names of the blobs with the pictures of ``found.frames``.
        now: the time.

    Returns:
        False where the medium is no more: nothing was written, and the blobs are loose.
    """
    medium = session.get(Media, media_id, with_for_update=True)
    if medium is None:
        loosen_blobs(session, frames, now=now)
        return False
    before = list(session.scalars(select(MediaFrame.sha256).where(MediaFrame.media_id == media_id)))
    loosen_blobs(session, before, now=now)
    session.execute(delete(MediaFrame).where(MediaFrame.media_id == media_id))
    session.execute(delete(MediaPart).where(MediaPart.media_id == media_id))
    for number, ((seconds, _), sha256) in enumerate(zip(found.frames, frames, strict=True)):
        session.add(MediaFrame(media_id=media_id, number=number, seconds=seconds, sha256=sha256))
    for report in found.reports:
        session.add(
            MediaPart(media_id=media_id, part=report.part, state=report.state, code=report.code, reason=report.reason)
        )
    texts = write_texts(session, media_id=media_id, post_id=medium.post_id, spoken=found.spoken, written=found.written)
    was = medium.kind
    medium.kind, medium.duration_seconds, medium.understood_at = found.kind, found.duration, now
    medium.width, medium.height = found.width or medium.width, found.height or medium.height
    if found.failure is not None:
        medium.state, medium.error_code, medium.error = "failed", found.failure.code, found.failure.reason
    elif found.kind == "image" and was == "image" and not texts:
        medium.joined_at = now  # nothing that the store would not have from the picture itself
    return True


def copy_twin(session: Session, medium: Media, *, now: datetime) -> bool:
    """Take over what is known of the same bytes in another post, where that is whole.

    Returns:
        Whether there was one.
    """
    twin = session.scalar(
        select(Media.id)
        .where(
            Media.sha256 == medium.sha256,
            Media.id != medium.id,
            Media.understood_at.is_not(None),
            Media.state != "failed",
            ~select(MediaPart.part)
            .where(MediaPart.media_id == Media.id, MediaPart.code.in_(("too_slow", "out_of_memory", "decoder_crashed")))
            .exists(),
        )
        .order_by(Media.understood_at, Media.id)
        .limit(1)
    )
    mine = session.get(Media, medium.id, with_for_update=True) if twin is not None else None
    if twin is None or mine is None:
        return False
    ids = {"twin": twin, "mine": mine.id, "post": mine.post_id}
    for statement in _COPY:
        session.execute(text(statement), ids)
    known = session.get_one(Media, twin)
    mine.kind, mine.duration_seconds, mine.understood_at = known.kind, known.duration_seconds, now
    mine.width, mine.height = known.width, known.height
    return True


_COPY = (
    "DELETE FROM media_parts WHERE media_id = :mine",
    "DELETE FROM media_frames WHERE media_id = :mine",
    "DELETE FROM media_texts WHERE media_id = :mine",
    "INSERT INTO media_parts SELECT :mine, part, state, code, reason FROM media_parts WHERE media_id = :twin",
    "INSERT INTO media_frames (media_id, number, seconds, sha256) "
    "SELECT :mine, number, seconds, sha256 FROM media_frames WHERE media_id = :twin",
    "INSERT INTO media_texts (media_id, post_id, kind, number, text, start_seconds, end_seconds, language, "
    "language_confidence, confidence, detail) SELECT :mine, :post, kind, number, text, start_seconds, end_seconds, "
    "language, language_confidence, confidence, detail "
    "FROM media_texts WHERE media_id = :twin",
)
