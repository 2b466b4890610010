"""Long work: started by a person or a schedule, worked on by one worker at a time, seen, stopped and resumed.

    waiting -> running -> done
       |          |-----> failed (with the reason)
       '----------'-----> cancelled

The row is the truth. A run whose worker dies goes back to waiting when its lease runs out, and another worker goes on
from its checkpoint.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import uuid_utils
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from postscope.backend.auth import Caller, Role
from postscope.backend.errors import Conflict, NotFound
from postscope.backend.tables import Run

MAX_ATTEMPTS = 5
"""Workers that may die with a run in their hands before it is given up."""
LEASE_SECONDS = 60.0
REASON_LIMIT = 2_000


class RunStopped(Exception):
    """The work is to end now, and goes on from the checkpoint later: the process stops, or the lease was lost."""


class RunCancelled(Exception):
    """A person asked for the end of it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. ``total`` is None while it is not known."""

    done: int
    total: int | None = None
    note: str = ""
    checkpoint: dict[str, Any] | None = None


def start(
    session: Session,
    kind: str,
    params: dict[str, Any],
    *,
    actor: str,
    readers: Collection[Role],
    now: datetime,
    exclusive: str | None = None,
) -> Run:
    """Ask for a run.

    Args:
        session: the run exists when it commits.
        kind: one that a worker knows.
        params: what it is to work on, as JSON.
        actor: who asked.
        readers: roles that may see and cancel it, beside admin.
        now: the time.
        exclusive: of runs with the same value one at a time may wait or run.

    Raises:
        Conflict: ``run_exists``: there is one with this ``exclusive`` value already.
    """
    run = Run(
        id=uuid.UUID(str(uuid_utils.uuid7())),
        kind=kind,
        params=params,
        actor=actor,
        readers=sorted(role.value for role in readers),
        exclusive=exclusive,
        created_at=now,
    )
    try:
        with session.begin_nested():
            session.add(run)
    except IntegrityError as error:
        raise Conflict(f"such a run is waiting or running already ({exclusive})", code="run_exists") from error
    return run


def claim(session: Session, kinds: Sequence[str], *, now: datetime, worker: str) -> Run | None:
    """Take the oldest waiting run of these kinds, or None."""
    run = session.scalars(
        select(Run)
        .where(Run.state == "waiting", Run.kind.in_(kinds))
        .order_by(Run.created_at, Run.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if run is None:
        return None
    run.state, run.worker, run.attempts = "running", worker, run.attempts + 1
    run.started_at = run.started_at or now
    run.lease_token, run.lease_until = uuid.uuid4(), now + timedelta(seconds=LEASE_SECONDS)
    return run


def report(session: Session, run_id: uuid.UUID, token: uuid.UUID, progress: Progress | None, *, now: datetime) -> None:
    """Say how far it is, and keep the lease.

    Raises:
        RunStopped: the run is in other hands now.
        RunCancelled: a person wants it to end.
    """
    run = session.scalar(select(Run).where(Run.id == run_id, Run.lease_token == token))
    if run is None:
        raise RunStopped
    if progress is not None:
        run.done, run.total, run.note = progress.done, progress.total, progress.note
        if progress.checkpoint is not None:
            run.checkpoint = progress.checkpoint
    run.lease_until = now + timedelta(seconds=LEASE_SECONDS)
    if run.cancel_asked:
        raise RunCancelled


def keep(session: Session, run_id: uuid.UUID, token: uuid.UUID, checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint in the transaction of what it promises: both are there, or neither is.

    Raises:
        RunStopped: the run is in other hands now.
        RunCancelled: a person wants it to end.
    """
    run = session.scalar(select(Run).where(Run.id == run_id, Run.lease_token == token).with_for_update())
    if run is None:
        raise RunStopped
    if run.cancel_asked:
        raise RunCancelled
    run.checkpoint = checkpoint


def settle(
    session: Session,
    run_id: uuid.UUID,
    token: uuid.UUID,
    state: str,
    *,
    now: datetime,
    result: dict[str, Any] | None = None,
    code: str | None = None,
    reason: str | None = None,
) -> bool:
    """Close a run, or hand it back with ``state`` waiting.

    Returns:
        Whether it was still ours.
    """
    run = session.scalar(select(Run).where(Run.id == run_id, Run.lease_token == token).with_for_update())
    if run is None:
        return False
    run.state, run.lease_token, run.lease_until = state, None, None
    run.error_code, run.error = code, reason[:REASON_LIMIT] if reason else None
    if state == "waiting":
        run.attempts -= 1  # an orderly stop is no failure
    else:
        run.finished_at = now
    if state == "done" and run.total is not None:
        run.done = run.total
    if result is not None:
        run.result = result
    return True


def reclaim(session: Session, *, now: datetime, all_running: bool = False) -> int:
    """Take back runs whose worker is dead; ``all_running``: every one, since nobody else can be at work.

    Returns:
        How many.
    """
    lapsed = session.execute(
        text(
            """
            UPDATE runs SET lease_token = NULL, lease_until = NULL,
                state = CASE WHEN cancel_asked THEN 'cancelled' WHEN attempts >= :most THEN 'failed'
                    ELSE 'waiting' END,
                finished_at = CASE WHEN cancel_asked OR attempts >= :most THEN CAST(:now AS timestamptz) END,
                error_code = 'worker_lost',
                error = 'the worker stopped answering while it had this run (attempt ' || attempts || ')'
            WHERE state = 'running' AND (lease_until < :now OR :all)
            """
        ),
        {"now": now, "most": MAX_ATTEMPTS, "all": all_running},
    )
    return int(getattr(lapsed, "rowcount", 0))


def cancel(session: Session, run_id: uuid.UUID, caller: Caller, *, now: datetime) -> Run:
    """Ask a run to end. A waiting one ends at once, a running one when it next looks.

    Raises:
        NotFound: there is none that the caller may see.
        Conflict: ``run_ended``: it has ended already.
    """
    run = get(session, run_id, caller, lock=True)
    if run.state not in ("waiting", "running"):
        raise Conflict(f"the run is {run.state}", code="run_ended")
    run.cancel_asked = True
    if run.state == "waiting":
        run.state, run.finished_at = "cancelled", now
    return run


def get(session: Session, run_id: uuid.UUID, caller: Caller, *, lock: bool = False) -> Run:
    """One run.

    Raises:
        NotFound: there is none, or none that the caller may see.
    """
    query = select(Run).where(Run.id == run_id)
    run = session.scalar(query.with_for_update() if lock else query)
    if run is None or not caller.may(map(Role, run.readers)):
        raise NotFound(f"there is no run {run_id}")
    return run


def recent(
    session: Session, caller: Caller, *, kind: str | None = None, state: str | None = None, limit: int = 50
) -> list[Run]:
    """The newest runs that the caller may see."""
    query = select(Run).order_by(Run.created_at.desc(), Run.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(Run.kind == kind)
    if state is not None:
        query = query.where(Run.state == state)
    if Role.ADMIN not in caller.roles:
        query = query.where(Run.readers.bool_op("&&")(sorted(role.value for role in caller.roles)))
    return list(session.scalars(query))
