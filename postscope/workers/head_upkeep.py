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
from postscope.backend.heads.learning import fingerprint
from postscope.backend.heads.waiting import PATIENCE, TRAIN, Wait, waits
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Head, HeadVersion, Run
from postscope.backend.tagging.going_live import live_space
from postscope.workers.run_context import RunContext

KIND = "heads.watch"
READERS = (Role.ANALYST, Role.PRODUCT)
ACTOR = "upkeep"


def start_watch(runtime: Runtime, session: Session) -> None:
    """Ask for the next look at all heads when the last one is old enough."""
    now = runtime.clock()
    if session.scalar(select(HeadVersion.id).where(HeadVersion.state == "live").limit(1)) is None:
        return
    last = session.scalar(select(Run.created_at).where(Run.kind == KIND).order_by(Run.created_at.desc()).limit(1))
    if last is None or now - last >= timedelta(hours=runtime.settings.heads.watch_hours):
        _ask(session, KIND, {}, KIND, now=now)


def train_stale(runtime: Runtime, session: Session) -> None:
    """Ask for a training of each head whose live version reads vectors of a space that is not live any more."""
    space = live_space(session)
    if space is None:
        return
    query = select(Head).join(HeadVersion).where(HeadVersion.state == "live", HeadVersion.space_id != space)
    for head in session.scalars(query.order_by(Head.name)):
        if waits(session, head, stale=True, space=space, now=runtime.clock()) is None:
            _train(session, head, "space", now=runtime.clock(), space=space)


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
        if cause is not None and (wait := _held(runtime, head, cause)) is not None:
            until = wait.until.astimezone(UTC).isoformat()
            looked[head.name] |= {"trained_again_for": None, "waits_for": cause, f"{wait.because}_waits_until": until}
        elif cause in ("schedule", "drift"):  # for a new space the sweep asks, which does not wait for a look
            with runtime.database.session() as session:
                _train(session, head, cause, now=runtime.clock())
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


def _held(runtime: Runtime, head: Head, cause: str) -> Wait | None:
    """Why it waits, if it does."""
    space = runtime.live.encoder.space.id
    with runtime.database.session() as session:
        wait = waits(session, head, stale=cause == "space", space=space, now=runtime.clock())
    if wait is not None and wait.because == "unchanged" and wait.learned_from != fingerprint(runtime, head):
        return None
    return wait


def _train(session: Session, head: Head, cause: str, *, now: datetime, **more: str) -> None:
    params = {"head": head.name, "cause": cause, "promote": True, **more}
    _ask(session, TRAIN, params, f"{TRAIN}:{head.name}", now=now)


def _ask(session: Session, kind: str, params: dict[str, Any], exclusive: str, *, now: datetime) -> None:
    try:
        runs.start(session, kind, params, actor=ACTOR, readers=READERS, now=now, exclusive=exclusive)
    except Conflict:
        return  # it waits or runs already


def _told(measured: Measured | None) -> dict[str, Any]:
    if measured is None:
        return {"measured": False}
    return {"measured": True} | {name: getattr(measured, name) for name in Measured.__slots__}
