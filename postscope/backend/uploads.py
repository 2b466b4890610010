"""Uploads: a file given to us before the post that uses it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import BinaryIO

from sqlalchemy.orm import Session

from postscope.backend.blobs import BlobStore
from postscope.backend.errors import TooLarge, UnsupportedMedia
from postscope.backend.tables import Upload
from postscope.indexing.media.errors import MediaError, MediaTooLarge
from postscope.indexing.media.image import inspect_image


def add_upload(session: Session, blobs: BlobStore, file: BinaryIO, *, max_bytes: int, now: datetime) -> Upload:
    """Keep a file. What it is, is read from its bytes; what it claims to be counts for nothing.

    Raises:
        TooLarge: it has more than ``max_bytes``.
        UnsupportedMedia: it is no image, or cannot be read as one; the message says why.
    """
    data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLarge(f"file: larger than {max_bytes} bytes")
    try:
        info = inspect_image(data, max_bytes=max_bytes)
    except MediaTooLarge as error:
        raise TooLarge(f"file: {error.reason}") from error
    except MediaError as error:
        raise UnsupportedMedia(f"file: {error.reason}", code=error.code) from error
    upload = Upload(
        id=uuid.uuid4(),
        sha256=blobs.put(data),
        mime=info.mime,
        size=len(data),
        width=info.width,
        height=info.height,
        created_at=now,
    )
    session.add(upload)
    session.flush()
    return upload
