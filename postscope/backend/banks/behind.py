"""Posts that were checked before all was there to compare them with: entries, or the vectors of entries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from postscope.backend.work import ASKED_AGAIN, Stage

PATIENCE: Final = timedelta(minutes=2)
"""So long whoever was reading has for it, before a sweep asks for the checks in its place."""


def check_again(session: Session, *, now: datetime, up_to: int | None = None) -> int:
    """Let the enrich stage look again at posts whose check was behind the banks.

    Posts that wait for it anyhow are left alone. One that is being looked at is looked at once more after that.

    Args:
        session: they wait when it commits.
        now: the time.
        up_to: the last change that this process has read. None: whoever was reading may have died; then those are
            asked for that were checked some time ago. A process that is itself behind notes them as behind again.

    Returns:
        How many posts are to be checked again.
    """
    return _ask(
        session,
        "c.change < c.asked AND (c.asked <= CAST(:up_to AS bigint) "
        "OR (CAST(:up_to AS bigint) IS NULL AND c.checked_at < :before))",
        now,
        {"up_to": up_to, "before": now - PATIENCE},
    )


def look_again(session: Session, *, now: datetime) -> int:
    """The same for posts that could not be compared with the vectors of some entries.

    Returns:
        How many posts are to be checked again.
    """
    return _ask(session, "c.unlooked > 0", now, {})


def ask_for(session: Session, posts: Collection[UUID], *, now: datetime) -> int:
    """The same for these posts.

    Returns:
        How many are to be checked again.
    """
    return _ask(session, "c.post_id = ANY(:posts)", now, {"posts": list(posts)})


def _ask(session: Session, which: str, now: datetime, values: Mapping[str, object]) -> int:
    done = session.execute(
        text(
            f"""
            INSERT INTO work (post_id, stage, run_after, created_at, request_id)
            SELECT c.post_id, :stage, :now, :now, NULL FROM post_checks c
            WHERE {which} AND NOT EXISTS (
                SELECT 1 FROM work w WHERE w.post_id = c.post_id AND w.stage = :stage AND w.state = 'waiting'
            )
            ORDER BY c.post_id
            {ASKED_AGAIN}
            """  # noqa: S608 - what is put in are constants
        ),
        {"stage": Stage.ENRICH.value, "now": now, **values},
    )
    return int(getattr(done, "rowcount", 0))
