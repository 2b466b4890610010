"""Blobs that lost a user: noted in the transaction that takes it away, deleted by a sweep when nobody else has one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from postscope.backend.blobs import BlobStore
from postscope.backend.database import Database

GRACE = timedelta(hours=1)
"""So long a blob without a user is kept: whoever has just put the same one has not said so yet."""

_RIPE = text(
    """
    DELETE FROM loose_blobs b
    WHERE sha256 IN (SELECT sha256 FROM loose_blobs WHERE since < :before ORDER BY since, sha256 LIMIT :most)
        AND since < :before -- looked at again, where somebody has put it while this waited for him
    RETURNING b.sha256,
        EXISTS (SELECT 1 FROM media m WHERE m.sha256 = b.sha256)
        OR EXISTS (SELECT 1 FROM media_frames f WHERE f.sha256 = b.sha256)
        OR EXISTS (SELECT 1 FROM uploads u WHERE u.sha256 = b.sha256) AS used
    """
)


def loosen(session: Session, post_ids: Sequence[uuid.UUID], *, now: datetime) -> None:
    """The media of these posts are about to go."""
    session.execute(
        text(
            """
            INSERT INTO loose_blobs (sha256, since)
            SELECT sha256, :now FROM media WHERE post_id = ANY(:ids) AND sha256 IS NOT NULL
            UNION
            SELECT f.sha256, :now FROM media_frames f JOIN media m ON m.id = f.media_id WHERE m.post_id = ANY(:ids)
            ORDER BY 1
            ON CONFLICT (sha256) DO UPDATE SET since = excluded.since
            """
        ),
        {"ids": list(post_ids), "now": now},
    )


def loosen_blobs(session: Session, names: Sequence[str], *, now: datetime) -> None:
    """These blobs are about to be put, or had a user that is about to go."""
    session.execute(
        text(
            "INSERT INTO loose_blobs (sha256, since) SELECT DISTINCT unnest(CAST(:names AS text[])), "
            "CAST(:now AS timestamptz) ORDER BY 1 ON CONFLICT (sha256) DO UPDATE SET since = excluded.since"
        ),
        {"names": list(names), "now": now},
    )


def forget_loose(database: Database, blobs: BlobStore, *, now: datetime, most: int = 1_000) -> int:
    """Delete blobs that nobody has used for a while.

    Returns:
        How many were deleted.
    """
    with database.session() as session:
        ripe = session.execute(
            _RIPE,
            {"before": now - GRACE, "most": most},
        ).all()
        unused = [row.sha256 for row in ripe if not row.used]
        # Before the commit: where a deletion fails, the rows are there again for the next sweep.
        for sha256 in unused:
            blobs.delete(sha256)
    return len(unused)
