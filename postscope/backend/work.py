"""The durable work table: add, claim, take back. It is the truth; the broker only rings the bell.

A row says that a stage is to be run for a post. Done work has no row. A claim takes a lease; a worker that lets its
lease run out is taken for dead, and its rows become *suspect*: they are tried one at a time, so that one post that
kills its worker cannot take its batch along for ever.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from postscope.backend.setting_groups import WorkSettings

ASKED_AGAIN = """
            ON CONFLICT (post_id, stage) DO UPDATE SET
                generation = work.generation + 1,
                state = CASE WHEN work.state = 'running' THEN 'running' ELSE 'waiting' END,
                attempts = CASE WHEN work.state = 'running' THEN work.attempts ELSE 0 END,
                run_after = excluded.run_after, request_id = excluded.request_id, error = NULL, error_code = NULL
"""
"""End of a statement that asks for work: what is there already starts over, a running worker will see the newer
generation."""


class Stage(StrEnum):
    """What can be done for a post."""

    EXTRACT = "extract"
    UNDERSTAND = "understand"
    INDEX = "index"
    ENRICH = "enrich"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Claim:
    """One row in the hands of one worker."""

    id: int
    post_id: uuid.UUID
    stage: Stage
    generation: int
    attempts: int
    token: uuid.UUID
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits, runs and has failed in one stage, and since when the oldest waits."""

    stage: str
    waiting: int
    running: int
    failed: int
    oldest: datetime | None


def add(
    session: Session, stage: Stage, post_ids: Sequence[uuid.UUID], *, now: datetime, request_id: str | None
) -> None:
    """Ask for a stage. Work that is there already starts over; a running worker will see the newer generation."""
    if not post_ids:
        return
    session.execute(
        text(
            f"""
            INSERT INTO work (post_id, stage, run_after, created_at, request_id)
            SELECT unnest(CAST(:ids AS uuid[])), :stage, :now, :now, :request_id
            {ASKED_AGAIN}
            """
        ),
        {"ids": list(post_ids), "stage": stage.value, "now": now, "request_id": request_id},
    )


def claim(
    session: Session,
    stage: Stage,
    *,
    now: datetime,
    worker: str,
    settings: WorkSettings,
    limit: int | None = None,
    lease_seconds: float | None = None,
    videos: bool | None = None,
    suspects: bool = True,
) -> list[Claim]:
    """Take up to a batch of waiting work, oldest first; suspects come alone, when nothing else waits.

    Args:
        videos: only posts with a video that was taken apart, which take long to index, or only posts without one.
        suspects: whether one may be taken when nothing else waits.
    """
    until = now + timedelta(seconds=lease_seconds or settings.lease_seconds)
    rows = _take(session, stage, now, until, worker, limit or settings.batch, videos, suspect=False)
    if not rows and suspects:
        rows = _take(session, stage, now, until, worker, 1, videos, suspect=True)
    return [
        Claim(
            row["id"], row["post_id"], stage, row["generation"], row["attempts"], row["lease_token"], row["request_id"]
        )
        for row in rows
    ]


def reclaim(session: Session, *, now: datetime, settings: WorkSettings) -> int:
    """Take back work whose lease ran out; work that has outlived its attempts this way is given up.

    Returns:
        How many rows were taken back.
    """
    return _count(
        session.execute(
            text(
                """
                UPDATE work SET lease_until = NULL, lease_token = NULL, suspect = true, run_after = :now,
                    state = CASE WHEN attempts >= :most THEN 'failed' ELSE 'waiting' END,
                    error_code = 'worker_lost',
                    error = 'the worker stopped answering while it had this post (attempt ' || attempts || ')'
                WHERE state = 'running' AND lease_until < :now
                """
            ),
            {"now": now, "most": settings.max_attempts},
        )
    )


def abandon_all(session: Session, *, now: datetime) -> int:
    """Take back all running work, for the embedded mode's start, when no other worker can be alive.

    Returns:
        How many rows were taken back.
    """
    return _count(
        session.execute(
            text(
                "UPDATE work SET state = 'waiting', suspect = attempts > 1, run_after = :now, lease_until = NULL, "
                "lease_token = NULL WHERE state = 'running'"
            ),
            {"now": now},
        )
    )


def retry(session: Session, *, now: datetime, post_ids: Sequence[uuid.UUID] | None = None) -> int:
    """Try failed work again, of these posts or of all."""
    return _count(
        session.execute(
            text(
                "UPDATE work SET state = 'waiting', attempts = 0, run_after = :now WHERE state = 'failed' "
                "AND (CAST(:ids AS uuid[]) IS NULL OR post_id = ANY(CAST(:ids AS uuid[])))"
            ),
            {"now": now, "ids": None if post_ids is None else list(post_ids)},
        )
    )


def backlog(session: Session) -> list[Backlog]:
    """The state of every stage, whether it has work or not."""
    rows = session.execute(
        text(
            """
            SELECT stage, count(*) FILTER (WHERE state = 'waiting') AS waiting,
                count(*) FILTER (WHERE state = 'running') AS running,
                count(*) FILTER (WHERE state = 'failed') AS failed,
                min(created_at) FILTER (WHERE state <> 'failed') AS oldest
            FROM work GROUP BY stage
            """
        )
    ).mappings()
    found = {row["stage"]: row for row in rows}
    return [
        Backlog(stage.value, found[stage]["waiting"], found[stage]["running"], found[stage]["failed"],
                found[stage]["oldest"])
        if stage in found
        else Backlog(stage.value, 0, 0, 0, None)
        for stage in Stage
    ]  # fmt: skip


def _take(
    session: Session,
    stage: Stage,
    now: datetime,
    until: datetime,
    worker: str,
    limit: int,
    videos: bool | None,
    *,
    suspect: bool,
) -> Sequence[RowMapping]:
    taken = session.execute(
        text(
            """
            WITH picked AS (
                SELECT id FROM work
                WHERE stage = :stage AND state = 'waiting' AND run_after <= :now AND suspect = :suspect
                    AND (CAST(:videos AS boolean) IS NULL OR CAST(:videos AS boolean) = EXISTS (
                        SELECT 1 FROM media WHERE media.post_id = work.post_id AND media.kind = 'video'
                            AND media.understood_at IS NOT NULL))
                ORDER BY run_after, id LIMIT :limit FOR UPDATE SKIP LOCKED
            )
            UPDATE work SET state = 'running', attempts = attempts + 1, lease_until = :until, lease_token = :token,
                worker = :worker
            FROM picked WHERE work.id = picked.id
            RETURNING work.id, post_id, generation, attempts, lease_token, request_id
            """
        ),
        {
            "stage": stage.value,
            "now": now,
            "until": until,
            "token": uuid.uuid4(),
            "worker": worker,
            "limit": limit,
            "suspect": suspect,
            "videos": videos,
        },
    ).mappings()
    return sorted(taken, key=lambda row: int(row["id"]))


def _count(result: object) -> int:
    return int(getattr(result, "rowcount", 0))
