"""Alerts: raised once a burst, told to whoever listens, decided on by people."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import uuid_utils
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend import audit, webhooks
from postscope.backend.errors import Conflict, NotFound
from postscope.backend.tables import Alert
from postscope.backend.trends.requests import PostFilter
from postscope.backend.webhooks import Event
from postscope.indexing.bursts import Prediction
from postscope.indexing.early_warning import PAUSE_HOURS

Kind = Literal["candidate", "growth"]
State = Literal["open", "acknowledged", "dismissed"]
PAUSE = timedelta(hours=PAUSE_HOURS)
_LOCK = 0x62757273  # the bytes of "burs"


@dataclass(frozen=True, slots=True)
class Finding:
    """A burst with its evidence; see ``Alert`` for what each means."""

    key: str
    kind: Kind
    topic_id: uuid.UUID | None
    since: datetime
    until: datetime
    observed: int
    prediction: Prediction
    probability: float
    posts: int
    authors: int
    marks: Sequence[str]
    evidence: dict[str, Any]


def lock(session: Session) -> None:
    """One transaction at a time decides whether a burst is new."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def raise_alert(session: Session, found: Finding, *, now: datetime) -> Alert | None:
    """Write an alert and tell the webhooks, when this session commits; None where this burst has one already.

    That one is brought up to date instead, whatever people said of it: a topic that goes on bursting is one burst. Call
    ``lock`` before.
    """
    going = _going(session, found)
    if going is not None:
        _go_on(going, found)
        return None
    low, high = found.prediction.interval()
    alert_id = uuid.UUID(str(uuid_utils.uuid7()))
    written = session.execute(
        insert(Alert)
        .values(
            id=alert_id,
            key=found.key,
            kind=found.kind,
            state="open",
            topic_id=found.topic_id,
            raised_at=now,
            since=found.since,
            until=found.until,
            observed=found.observed,
            expected=found.prediction.mean,
            low=low,
            high=high,
            probability=found.probability,
            posts=found.posts,
            authors=found.authors,
            marks=list(found.marks),
            evidence=found.evidence,
        )
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(Alert.id)
    ).first()
    if written is None:
        return None
    alert = session.get_one(Alert, alert_id)
    webhooks.emit(session, Event.ALERT_RAISED, told(alert), key=f"alert:{alert.key}", now=now)
    return alert


def _going(session: Session, found: Finding) -> Alert | None:
    """The alert of the burst that is still going on in the topic."""
    newest = select(Alert).where(Alert.topic_id == found.topic_id).order_by(Alert.until.desc(), Alert.id.desc())
    alert = session.scalar(newest.limit(1).with_for_update())
    return alert if alert is not None and found.since <= alert.until + PAUSE else None


def _go_on(alert: Alert, found: Finding) -> None:
    """Its window grows; its evidence is that of the moment at which it was most surprising."""
    alert.since, alert.until = min(alert.since, found.since), max(alert.until, found.until)
    alert.posts, alert.authors = max(alert.posts, found.posts), max(alert.authors, found.authors)
    if found.probability < alert.probability:
        alert.low, alert.high = found.prediction.interval()
        alert.observed, alert.expected, alert.probability = found.observed, found.prediction.mean, found.probability
        alert.marks, alert.evidence = list(found.marks), found.evidence


def told(alert: Alert) -> dict[str, Any]:
    """What a webhook is told; no texts of posts."""
    return {
        "alert_id": str(alert.id),
        "kind": alert.kind,
        "topic_id": None if alert.topic_id is None else str(alert.topic_id),
        "raised_at": alert.raised_at.isoformat(),
        "from": alert.since.isoformat(),
        "observed": alert.observed,
        "expected": round(alert.expected, 4),
        "probability": alert.probability,
        "marks": alert.marks,
        "posts_url": posts_url(alert),
    }


def posts_url(alert: Alert) -> str | None:
    """Where the posts of its topic in its window are listed."""
    if alert.topic_id is None:
        return None
    # The last one is of it too.
    return PostFilter.model_validate(
        {"topic_id": alert.topic_id, "from": alert.since, "to": alert.until + timedelta(microseconds=1)}
    ).url()


def decide(
    session: Session, alert_id: uuid.UUID, state: Literal["acknowledged", "dismissed"], *, actor: str, note: str | None,
    now: datetime,
) -> Alert:  # fmt: skip
    """A person takes notice of it, or says that it is none.

    Raises:
        NotFound: there is no such alert.
        Conflict: ``alert_decided``: it is in that state already.
    """
    alert = session.scalar(select(Alert).where(Alert.id == alert_id).with_for_update())
    if alert is None:
        raise NotFound(f"there is no alert {alert_id}")
    if alert.state == state:
        raise Conflict(f"the alert is {state} already", code="alert_decided")
    before, alert.state = alert.state, state
    alert.decided_by, alert.decided_at, alert.note = actor, now, note
    audit.record(
        session,
        actor=actor,
        action=f"alert.{'acknowledge' if state == 'acknowledged' else 'dismiss'}",
        subject=f"alert:{alert_id}",
        evidence={"before": before, "note": note, "observed": alert.observed, "probability": alert.probability},
        now=now,
    )
    return alert


def recent(
    session: Session, *, state: State | None, kind: Kind | None, topic_id: uuid.UUID | None, before: uuid.UUID | None,
    limit: int,
) -> list[Alert]:  # fmt: skip
    """The newest first. ``before``: an alert; two may be raised at one time, so that a time would lose one of them."""
    query = select(Alert).order_by(Alert.id.desc()).limit(limit)
    if state is not None:
        query = query.where(Alert.state == state)
    if kind is not None:
        query = query.where(Alert.kind == kind)
    if topic_id is not None:
        query = query.where(Alert.topic_id == topic_id)
    if before is not None:
        query = query.where(Alert.id < before)
    return list(session.scalars(query))


def one(session: Session, alert_id: uuid.UUID) -> Alert:
    """An alert.

    Raises:
        NotFound: there is no such alert.
    """
    alert = session.get(Alert, alert_id)
    if alert is None:
        raise NotFound(f"there is no alert {alert_id}")
    return alert
