"""The queue of what a moderator is to look at: claimed by one at a time, decided with a reason, never forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from postscope.backend import audit
from postscope.backend.auth import Caller
from postscope.backend.banks import catalogue, hygiene
from postscope.backend.errors import Conflict, Invalid, NotFound
from postscope.backend.setting_groups import BankSettings
from postscope.backend.tables import ReviewItem

CLAIM_SECONDS: Final = 900.0

Decision = Literal["confirm", "reject", "dismiss"]


def queue(
    session: Session, caller: Caller, *, kind: str | None = None, state: str = "open", limit: int = 50
) -> list[ReviewItem]:
    """What the caller may see of it: the most severe first, then the oldest."""
    query = (
        select(ReviewItem)
        .where(ReviewItem.state == state, _seen_by(session, caller))
        .order_by(ReviewItem.severity.desc(), ReviewItem.created_at, ReviewItem.id)
        .limit(limit)
    )
    return list(session.scalars(query if kind is None else query.where(ReviewItem.kind == kind)))


def claim(session: Session, item_id: UUID, caller: Caller, *, now: datetime) -> ReviewItem:
    """Take an item for a quarter of an hour; taking it again is harmless.

    Raises:
        NotFound: there is none that the caller may see.
        Conflict: ``review_claimed``: another has it; ``review_decided``: it is not open.
    """
    item = _locked(session, item_id, caller)
    _refuse_others(item, caller, now)
    item.claimed_by, item.claimed_until = caller.name, now + timedelta(seconds=CLAIM_SECONDS)
    audit.record(
        session,
        actor=caller.name,
        action="review.claim",
        subject=f"review:{item.id}",
        evidence={"kind": item.kind, "post": item.post_id, "entry": item.entry_id,
                  "until": item.claimed_until.isoformat()},
        now=now,
    )  # fmt: skip
    return item


def decide(
    session: Session,
    item_id: UUID,
    decision: Decision,
    note: str,
    caller: Caller,
    settings: BankSettings,
    *,
    now: datetime,
) -> ReviewItem:
    """Close an item. ``confirm`` and ``reject`` speak of the match that it is about; ``dismiss`` says nothing of it.

    Raises:
        NotFound: there is none that the caller may see.
        Conflict: another has claimed it, or it is not open.
        Invalid: there is no match to confirm or reject.
    """
    item = _locked(session, item_id, caller)
    _refuse_others(item, caller, now)
    if decision != "dismiss":
        match_id = item.detail.get("match_id")
        if match_id is None:
            raise Invalid.of("decision", "there is no match to confirm or reject here: dismiss")
        hygiene.decide(
            session, UUID(match_id), "confirmed" if decision == "confirm" else "rejected", caller, settings, now=now
        )
    item.state, item.decision, item.decided_by, item.decided_at = "decided", decision, caller.name, now
    audit.record(
        session,
        actor=caller.name,
        action="review.decide",
        subject=f"review:{item.id}",
        evidence={"decision": decision, "kind": item.kind, "post": item.post_id, "entry": item.entry_id,
                  "note": note},
        now=now,
    )  # fmt: skip
    return item


def _seen_by(session: Session, caller: Caller) -> Any:
    banks = [bank.id for bank in catalogue.visible(session, caller)]
    return or_(ReviewItem.bank_id.is_(None), ReviewItem.bank_id.in_(banks))


def _locked(session: Session, item_id: UUID, caller: Caller) -> ReviewItem:
    item = session.scalar(
        select(ReviewItem).where(ReviewItem.id == item_id, _seen_by(session, caller)).with_for_update()
    )
    if item is None:
        raise NotFound(f"there is no review {item_id}")
    return item


def _refuse_others(item: ReviewItem, caller: Caller, now: datetime) -> None:
    if item.state != "open":
        raise Conflict(f"the review is {item.state}", code="review_decided")
    if item.claimed_until is not None and item.claimed_until > now and item.claimed_by != caller.name:
        raise Conflict(f"{item.claimed_by} has it until {item.claimed_until.isoformat()}", code="review_claimed")
