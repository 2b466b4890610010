"""Versions of heads and what they may become.

    candidate -> shadow -> live -> retired
        '---------------> '  ^-------'  (rollback)

A version goes live only if it does better than the live one on posts that neither was taught, so that an unlucky
training changes nothing. Rollback needs no proof: it brings back what was live before.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from postscope.backend import audit
from postscope.backend.errors import Conflict, Invalid, NotFound
from postscope.backend.tables import Head, HeadVersion

_HEAVY = (defer(HeadVersion.model), defer(HeadVersion.judged), defer(HeadVersion.trained_on))


def versions(session: Session, head: Head) -> list[HeadVersion]:
    """All versions of a head, the newest first, without their bytes."""
    query = select(HeadVersion).where(HeadVersion.head_id == head.id).order_by(HeadVersion.number.desc())
    return list(session.scalars(query.options(*_HEAVY)))


def get(session: Session, head: Head, number: int) -> HeadVersion:
    """One version.

    Raises:
        NotFound: there is none of this number.
    """
    query = select(HeadVersion).where(HeadVersion.head_id == head.id, HeadVersion.number == number)
    found = session.scalar(query.options(*_HEAVY))
    if found is None:
        raise NotFound(f"the head {head.name!r} has no version {number}")
    return found


def in_state(session: Session, head: Head, state: str) -> HeadVersion | None:
    """The live or the shadow version, if there is one."""
    query = select(HeadVersion).where(HeadVersion.head_id == head.id, HeadVersion.state == state)
    return session.scalar(query.options(*_HEAVY))


def next_number(session: Session, head: Head) -> int:
    """For a version that is about to be added."""
    session.execute(select(Head.id).where(Head.id == head.id).with_for_update())
    newest = session.scalar(select(func.max(HeadVersion.number)).where(HeadVersion.head_id == head.id))
    return (newest or 0) + 1


def shadow(
    session: Session, head: Head, number: int, *, share: float, space: str, actor: str, now: datetime
) -> HeadVersion:
    """Let a version score what comes in. ``share`` of the posts, by their ids, are shown what it says (A/B).

    Raises:
        Conflict: ``wrong_state``: the version is live or retired; ``wrong_space``: it reads vectors of a space other
            than ``space``, which is live, so that it could score nothing.
        Invalid: ``share`` is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise Invalid.of("share", "must be from 0 to 1")
    version = _locked(session, head, number)
    if version.state not in ("candidate", "shadow"):
        raise Conflict(f"version {number} is {version.state}", code="wrong_state")
    if version.space_id != space:
        raise Conflict(f"version {number} belongs to the space {version.space_id}: train it again", code="wrong_space")
    other = in_state(session, head, "shadow")
    if other is not None and other.id != version.id:
        other.state, other.share = "candidate", 0.0
        session.flush()
    version.state, version.share = "shadow", share
    _record(session, "head.shadow", head, version, {"share": share}, actor, now)
    return version


def promote(
    session: Session, head: Head, number: int, *, better: dict[str, object], actor: str, now: datetime
) -> HeadVersion:
    """Make a version the live one. The caller has compared it with the live one: see ``comparing.compare``.

    Args:
        session: it is live when it commits.
        head: whose version.
        number: of the version.
        better: the comparison; ``better`` in it says whether it may.
        actor: who asked.
        now: the time.

    Raises:
        Conflict: ``not_better``: the live version does as well; ``wrong_state``; ``live_changed``: another version
            went live since they were compared.
    """
    version = _locked(session, head, number)
    if version.state not in ("candidate", "shadow"):
        raise Conflict(f"version {number} is {version.state}", code="wrong_state")
    live = in_state(session, head, "live")
    if better["against"] != (live.number if live else None):
        raise Conflict("another version went live meanwhile: compare again", code="live_changed")
    if not better["better"]:
        raise Conflict(f"version {number} is not better than the live one: {better['reason']}", code="not_better")
    _go_live(session, head, version, now)
    _record(session, "head.promote", head, version, better, actor, now)
    return version


def rollback(session: Session, head: Head, *, space: str, actor: str, now: datetime) -> HeadVersion:
    """Bring back the version that was live before the live one, of those that read vectors of the space that is live.

    Raises:
        Conflict: ``nothing_before``: there was none.
    """
    session.execute(select(Head.id).where(Head.id == head.id).with_for_update())
    live = in_state(session, head, "live")
    query = (
        select(HeadVersion)
        .where(HeadVersion.head_id == head.id, HeadVersion.state == "retired", HeadVersion.live_until.is_not(None))
        .where(HeadVersion.space_id == space)
        .order_by(HeadVersion.live_until.desc(), HeadVersion.number.desc())
        .limit(1)
    )
    before = session.scalar(query.options(*_HEAVY))
    if before is None:
        raise Conflict(f"the head {head.name!r} has no earlier live version in this space", code="nothing_before")
    _go_live(session, head, before, now)
    evidence = {"from": live.number if live else None}
    _record(session, "head.rollback", head, before, evidence, actor, now)
    return before


def retire(session: Session, head: Head, number: int, *, actor: str, now: datetime) -> HeadVersion:
    """Use a version no more. Of the live one nothing takes the place: the default, or nothing, is shown then."""
    version = _locked(session, head, number)
    if version.state == "live":
        version.live_until = now
    version.state, version.share = "retired", 0.0
    _record(session, "head.retire", head, version, {}, actor, now)
    return version


def count_served(session: Session, version_id: uuid.UUID, count: int) -> None:
    """Predictions of a version were shown."""
    if count:
        session.query(HeadVersion).filter(HeadVersion.id == version_id).update(
            {HeadVersion.served: HeadVersion.served + count}, synchronize_session=False
        )


def _go_live(session: Session, head: Head, version: HeadVersion, now: datetime) -> None:
    live = in_state(session, head, "live")
    if live is not None:
        live.state, live.live_until, live.share = "retired", now, 0.0
        session.flush()  # of two live versions the database would refuse one
    version.state, version.live_since, version.live_until, version.share = "live", now, None, 0.0
    session.flush()


def _locked(session: Session, head: Head, number: int) -> HeadVersion:
    session.execute(select(Head.id).where(Head.id == head.id).with_for_update())
    return get(session, head, number)


def _record(
    session: Session,
    action: str,
    head: Head,
    version: HeadVersion,
    evidence: Mapping[str, object],
    actor: str,
    now: datetime,
) -> None:
    subject = f"head:{head.name}"
    audit.record(
        session, actor=actor, action=action, subject=subject, evidence={"version": version.number, **evidence}, now=now
    )
