"""Uploads: a file given to us before the post that uses it."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Any, BinaryIO, Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend.blobs import BlobStore
from postscope.backend.errors import TooLarge, UnsupportedMedia
from postscope.backend.loose_blobs import loosen_blobs
from postscope.backend.tables import Upload
from postscope.indexing.media.errors import MediaError, MediaTooLarge
from postscope.indexing.media.inspect import Inspect, inspect_media

_BY_CONTENT: Final = uuid.UUID("0d3f0c50-6a3e-5a0c-9a59-5f1f2f6f3c7d")


def add_upload(
    session: Session,
    blobs: BlobStore,
    file: BinaryIO,
    *,
    max_bytes: int,
    now: datetime,
    inspect: Inspect = inspect_media,
) -> Upload:
    """Keep a file. What it is, is read from its bytes; what it claims to be counts for nothing.

    Args:
        session: in which it is noted.
        blobs: that keep it.
        file: to be read.
        max_bytes: that it may have.
        now: the time.
        inspect: says what it is. By default in this process, which is for files that are trusted.

    Raises:
        TooLarge: it has more than ``max_bytes``.
        UnsupportedMedia: it is no image, video or sound that is understood; the message says why.
    """
    upload = Upload(id=uuid.uuid4(), created_at=now, **_kept(session, blobs, file, max_bytes, inspect, now))
    session.add(upload)
    session.flush()
    return upload


def add_upload_once(
    session: Session,
    blobs: BlobStore,
    file: BinaryIO,
    *,
    max_bytes: int,
    now: datetime,
    inspect: Inspect = inspect_media,
) -> uuid.UUID:
    """Keep a file under an id that follows from its content: the same file again is the same upload.

    Raises:
        TooLarge, UnsupportedMedia: as ``add_upload``.
    """
    kept = _kept(session, blobs, file, max_bytes, inspect, now)
    upload_id = uuid.uuid5(_BY_CONTENT, kept["sha256"])
    # One that is there is renewed, so that it is not swept away before its post is written.
    session.execute(
        insert(Upload)
        .values(id=upload_id, created_at=now, **kept)
        .on_conflict_do_update(index_elements=[Upload.id], set_={"created_at": now})
    )
    return upload_id


def _kept(
    session: Session, blobs: BlobStore, file: BinaryIO, max_bytes: int, inspect: Inspect, now: datetime
) -> dict[str, Any]:
    data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLarge(f"file: larger than {max_bytes} bytes")
    try:
        info = inspect(data, max_bytes=max_bytes)
    except MediaTooLarge as error:
        raise TooLarge(f"file: {error.reason}") from error
    except MediaError as error:
        raise UnsupportedMedia(f"file: {error.reason}", code=error.code) from error
    # A sweep that is about to delete the same file as nobody's waits for this, or this for it.
    loosen_blobs(session, [hashlib.sha256(data).hexdigest()], now=now)
    return {
        "sha256": blobs.put(data),
        "kind": info.kind,
        "mime": info.mime,
        "size": len(data),
        "width": info.width,
        "height": info.height,
    }
