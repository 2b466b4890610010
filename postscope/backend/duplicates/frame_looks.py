"""Looks of frames that none is kept of: they are made from the picture of the frame when a verdict needs them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from postscope.backend.blobs import BlobCorrupt, BlobMissing
from postscope.backend.fingerprinting import making
from postscope.backend.runtime import Runtime
from postscope.backend.tables import MediaFrame
from postscope.indexing.copies.looks import Look, look_at
from postscope.indexing.media.errors import MediaError


def frame_look(runtime: Runtime, media_id: UUID, number: int) -> Look | None:
    """Of one frame of a video; None where its picture is gone. Some 10 ms.

    Raises:
        SandboxDown: no process that opens pictures can be started here.
    """
    with runtime.database.session() as session:
        sha256 = session.scalar(
            select(MediaFrame.sha256).where(MediaFrame.media_id == media_id, MediaFrame.number == number)
        )
    if sha256 is None:
        return None
    try:
        return look_at(making.decode(runtime.blobs.get(sha256), runtime.stills))
    except (BlobMissing, BlobCorrupt, MediaError):
        return None
