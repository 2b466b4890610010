"""Small copies of pictures that a page can carry in itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from postscope.backend.blobs import BlobMissing, BlobStore
from postscope.backend.duplicates.reading import groups_of
from postscope.backend.tables import Media, MediaFrame, Post
from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.stills import Stills

SIDE = 132
"""Longest side of a small copy, in pixels."""
QUALITY = 72
TRIED = 4
"""So many are tried for each that is wanted, since some may not be readable."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Picture:
    """A small JPEG as ``data:`` address, and the post that it is from."""

    post_id: UUID
    data: str
    width: int
    height: int


def pictures_of(
    session: Session,
    blobs: BlobStore,
    where: Sequence[ColumnElement[bool]],
    *,
    first: Sequence[UUID],
    most: int,
    stills: Stills,
) -> list[Picture]:
    """Pictures of posts, and first frames of their videos, each content once, and one post of a group of copies.

    Args:
        session: to read with.
        blobs: that have the files.
        where: which posts.
        first: posts whose pictures come before all others.
        most: pictures.
        stills: opens them.
    """
    frame = (
        select(MediaFrame.sha256)
        .where(MediaFrame.media_id == Media.id)
        .order_by(MediaFrame.number)
        .limit(1)
        .scalar_subquery()
    )
    shown = func.coalesce(frame, case((Media.kind == "image", Media.sha256)))
    rows = session.execute(
        select(Media.post_id, shown.label("sha256"))
        .join(Post, Post.id == Media.post_id)
        .where(*where, Media.state == "indexed", shown.is_not(None))
        .order_by(Media.post_id.in_(first).desc(), Media.post_id, Media.position)
        .limit(most * TRIED)
    )
    found: dict[str, Picture] = {}
    copies: set[UUID] = set()
    tried = rows.all()
    groups = groups_of(session, [row.post_id for row in tried])
    for row in tried:
        group = groups.get(row.post_id, row.post_id)
        if row.sha256 not in found and len(found) < most and group not in copies:
            copies |= {group} - {row.post_id}  # several pictures of one post are no copies
            small = _small(blobs, row.sha256, stills)
            if small is not None:
                found[row.sha256] = Picture(row.post_id, *small)
    return list(found.values())


def _small(blobs: BlobStore, sha256: str, stills: Stills) -> tuple[str, int, int] | None:
    """Decoded and written anew, so that nothing of the file but its pixels is on the page."""
    try:
        picture = stills.open(blobs.get(sha256), target=SIDE)
    except (MediaError, BlobMissing) as error:
        log.warning("picture_left_out", sha256=sha256, reason=str(error))
        return None
    picture.thumbnail((SIDE, SIDE))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=QUALITY, optimize=True)
    data = "data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode()
    return data, picture.width, picture.height
