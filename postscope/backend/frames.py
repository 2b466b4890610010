"""Pictures of moments of a video."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from postscope.backend.errors import Conflict, NotFound
from postscope.backend.posts import get_post
from postscope.backend.tables import Media, MediaFrame


@dataclass(frozen=True, slots=True)
class NearestFrame:
    """The kept frame next to a time; ``sha256`` names the blob with its JPEG."""

    number: int
    seconds: float
    sha256: str


def nearest_frame(session: Session, post_id: uuid.UUID, place: int, seconds: float) -> NearestFrame:
    """The kept frame of a post's video that is nearest to a time; of two, the earlier.

    Args:
        session: to read with.
        post_id: of the post.
        place: of the video among its media, from 0.
        seconds: since the video's beginning.

    Raises:
        NotFound: there is no such post or medium, or it is an image or a sound.
        Conflict: ``not_understood``: it was not taken apart yet; ``no_frames``: it has none, and why.
    """
    _, media = get_post(session, post_id)
    medium = next((medium for medium in media if medium.position == place), None)
    if medium is None:
        raise NotFound(f"the post has {len(media)} media, counted from 0: there is no medium {place}")
    frame = session.scalar(
        select(MediaFrame)
        .where(MediaFrame.media_id == medium.id)
        .order_by(func.abs(MediaFrame.seconds - seconds), MediaFrame.number)
        .limit(1)
    )
    if frame is None:
        raise _why_none(medium)
    return NearestFrame(frame.number, frame.seconds, frame.sha256)


def _why_none(medium: Media) -> NotFound | Conflict:
    if medium.kind in ("image", "audio"):
        return NotFound(f"medium {medium.position} is no video ({medium.kind})")
    if medium.state == "failed":
        return Conflict(f"medium {medium.position} has no frames: {medium.error}", code="no_frames")
    if medium.understood_at is None:
        return Conflict(f"medium {medium.position} was not taken apart yet", code="not_understood")
    return Conflict(f"medium {medium.position} has no frames; the status of the post says why", code="no_frames")
