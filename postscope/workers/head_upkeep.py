"""Keeps heads fit: measures drift, and trains again by time, after drift, and for a new space."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend import runs
from postscope.backend.auth import Role
from postscope.backend.errors import Conflict
from postscope.backend.heads import registry
from postscope.backend.heads.definitions import every
from postscope.backend.heads.drift import Measured, measure_drift
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Head, HeadVersion, Run
from postscope.workers.head_training import KIND as TRAIN
from postscope.workers.run_context import RunContext

KIND = "heads.watch"
READERS = (Role.ANALYST, Role.PRODUCT)
ACTOR = "upkeep"
PATIENCE = timedelta(hours=20)
"""A head that was trained a shorter while ago is not trained again after drift: what did not help then does not help
now. A schedule is what somebody asked for, and holds whatever it is."""
PAUSE = timedelta(days=1)
"""After a training by time or after drift that failed, unless the schedule is shorter: what it lacked, such as labels
in the window, is rarely there at the next look."""
PAUSED = ("schedule", "drift")
"""Causes that can wait. What a person asks for does not, nor a head that cannot read the vectors that are live."""


def start_watch(runtime: Runtime, session: Session) -> None:
    """Ask for the next look at all heads when the last one is old enough."""
    now = runtime.clock()
    if session.scalar(select(HeadVersion.id).where(HeadVersion.state == "live").limit(1)) is None:
        return
    last = session.scalar(select(Run.created_at).where(Run.kind == KIND).order_by(Run.created_at.desc()).limit(1))
    if last is None or now - last >= timedelta(hours=runtime.settings.heads.watch_hours):
        _ask(session, KIND, {}, KIND, now=now)


def watch_heads(runtime: Runtime, context: RunContext) -> dict[str, Any]:
    """Look at each head once; see the module."""
    with runtime.database.session() as session:
        live = [(head, registry.in_state(session, head, "live")) for head in every(session)]
    looked: dict[str, Any] = {}
    for n, (head, version) in enumerate(live):
        context.report(n, len(live), head.name)
        if version is None:
            continue
        cause, measured = _cause(runtime, head, version)
        looked[head.name] = _told(measured) | {"trained_again_for": cause}
        if cause in PAUSED and (until := _pause(runtime, head)) is not None:
            looked[head.name] |= {"trained_again_for": None, "failed_waits_until": until}
        elif cause is not None:
            _train(runtime, head, cause)
    return {"heads": looked}


def _cause(runtime: Runtime, head: Head, version: HeadVersion) -> tuple[str | None, Measured | None]:
    """Why it is to be trained again, if at all."""
    if version.space_id != runtime.live.encoder.space.id:
        return "space", None
    measured = measure_drift(runtime, version.id)
    now = runtime.clock()
    with runtime.database.session() as session:
        newest = registry.versions(session, head)[0]
    if head.retrain_days is not None and now - newest.created_at >= timedelta(days=head.retrain_days):
        return "schedule", measured
    if now - newest.created_at < PATIENCE:
        return None, measured
    alarm = runtime.settings.heads.precision_alarm
    doubted = measured is not None and measured.precision is not None and measured.precision < alarm
    return ("drift" if measured is not None and (measured.drifted or doubted) else None), measured


def _pause(runtime: Runtime, head: Head) -> str | None:
    """Until when it waits because its last training that nobody asked for failed; None where it need not."""
    query = (
        select(Run.finished_at)
        .where(
            Run.kind == TRAIN,
            Run.state == "failed",
            Run.params["head"].as_string() == head.name,
            Run.params["cause"].as_string().in_(PAUSED),
            Run.finished_at.is_not(None),
        )
        .order_by(Run.finished_at.desc())
        .limit(1)
    )
    with runtime.database.session() as session:
        failed = session.scalar(query)
    if failed is None:
        return None
    until = failed + (PAUSE if head.retrain_days is None else min(PAUSE, timedelta(days=head.retrain_days)))
    return until.astimezone(UTC).isoformat() if runtime.clock() < until else None


def _train(runtime: Runtime, head: Head, cause: str) -> None:
    with runtime.database.session() as session:
        params = {"head": head.name, "cause": cause, "promote": True}
        _ask(session, TRAIN, params, f"{TRAIN}:{head.name}", now=runtime.clock())


def _ask(session: Session, kind: str, params: dict[str, Any], exclusive: str, *, now: datetime) -> None:
    try:
        runs.start(session, kind, params, actor=ACTOR, readers=READERS, now=now, exclusive=exclusive)
    except Conflict:
        return  # it waits or runs already


def _told(measured: Measured | None) -> dict[str, Any]:
    if measured is None:
        return {"measured": False}
    return {"measured": True} | {name: getattr(measured, name) for name in Measured.__slots__}
