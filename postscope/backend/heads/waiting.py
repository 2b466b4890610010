"""Trainings that nobody asked for: what ended without a version is not tried again at once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from postscope.backend.tables import Head, Run

TRAIN: Final = "heads.train"
"""Kind of the runs that train."""
PATIENCE: Final = timedelta(hours=20)
"""A head that was trained a shorter while ago is not trained again after drift: what did not help then does not help
now. A schedule is what somebody asked for, and holds whatever it is."""
PAUSE: Final = timedelta(days=1)
"""After a training that failed or was cancelled, unless the schedule is shorter: what it lacked, such as labels in the
window, is rarely there at the next look."""

Because = Literal["failed", "cancelled", "unchanged"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a head is not trained again by itself now. A person who asks for a training need not wait.

    Attributes:
        cause: what it was to be trained for: ``schedule``, ``drift`` or ``space``.
        because: how the last such training ended; ``unchanged``: there was nothing new to learn.
        until: when it is tried again at the latest; after ``unchanged`` sooner, where what there is to learn from
            changes.
        reason: of a failure, in words.
        run_id: of that training.
        learned_from: after ``unchanged``, what there was to learn from: see ``learning.fingerprint``.
    """

    cause: str
    because: Because
    until: datetime
    reason: str | None
    run_id: uuid.UUID
    learned_from: str | None = None


def waits(session: Session, head: Head, *, stale: bool, space: str, now: datetime) -> Wait | None:
    """Whether a head that is due waits all the same.

    Args:
        session: to read with.
        head: to be trained again.
        stale: whether for a new space; otherwise by time or after drift, which wait for each other.
        space: that is live.
        now: the time.
    """
    run = session.scalar(_ended(head, stale=stale, space=space))
    if run is None or run.finished_at is None:
        return None
    found = run.result or {}
    if run.state == "done" and not found.get("unchanged"):
        return None
    cause = str(run.params["cause"])
    because: Because = "unchanged" if run.state == "done" else "cancelled" if run.state == "cancelled" else "failed"
    until = run.finished_at + _pause(head, cause, because)
    return Wait(cause, because, until, run.error, run.id, found.get("learned_from")) if now < until else None


def _ended(head: Head, *, stale: bool, space: str) -> Select[Run]:
    """The newest training that counts: of those that failed only what upkeep started, and of another space none."""
    cause = Run.params["cause"].as_string()
    if stale:
        counts = and_(cause == "space", Run.params["space"].as_string() == space)
    else:
        counts = or_(cause.in_(("schedule", "drift")), Run.state == "done")
    return (
        select(Run)
        .where(
            Run.kind == TRAIN,
            Run.params["head"].as_string() == head.name,
            Run.state.in_(("done", "failed", "cancelled")),
            Run.finished_at.is_not(None),
            counts,
        )
        .order_by(Run.finished_at.desc(), Run.id.desc())
        .limit(1)
    )


def _pause(head: Head, cause: str, because: Because) -> timedelta:
    schedule = None if head.retrain_days is None else timedelta(days=head.retrain_days)
    if because == "unchanged":
        return schedule if cause == "schedule" and schedule is not None else PATIENCE
    return PAUSE if schedule is None else min(PAUSE, schedule)
