"""How good entries are: people confirm or reject their matches, and one that floods with wrong ones is quarantined.

Precision is confirmed / (confirmed + rejected). It is counted from decisions, which outlive the posts that they are
about. Many matches alone quarantine nothing: whoever posts a thousand copies of a known scam would switch it off.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from postscope.backend import audit, webhooks
from postscope.backend.auth import Caller
from postscope.backend.banks import catalogue, entries, queueing
from postscope.backend.errors import NotFound
from postscope.backend.setting_groups import BankSettings
from postscope.backend.tables import BankDecision, BankEntry, BankMatch
from postscope.backend.webhooks import Event

Said = Literal["confirmed", "rejected"]


@dataclass(frozen=True, slots=True)
class Precision:
    """Of an entry or a bank. ``precision`` is None while nobody has decided anything."""

    matches: int
    confirmed: int
    rejected: int

    @property
    def precision(self) -> float | None:
        """Share of the decided matches that were right."""
        decided = self.confirmed + self.rejected
        return self.confirmed / decided if decided else None


def decide(
    session: Session, match_id: UUID, said: Said, caller: Caller, settings: BankSettings, *, now: datetime
) -> BankMatch:
    """Say of a match that it is right or wrong; saying otherwise later replaces it.

    Raises:
        NotFound: there is none that the caller may see.
    """
    match = session.get(BankMatch, match_id)
    if match is None:
        raise NotFound(f"there is no match {match_id}")
    try:
        catalogue.readable(session, match.bank_id, caller)
    except NotFound:
        raise NotFound(f"there is no match {match_id}") from None
    match.decision, match.decided_by, match.decided_at = said, caller.name, now
    row = insert(BankDecision).values(
        match_id=match.id, bank_id=match.bank_id, entry_id=match.entry_id, post_id=match.post_id, decision=said,
        actor=caller.name, at=now,
    )  # fmt: skip
    session.execute(
        row.on_conflict_do_update(
            index_elements=["match_id"],
            set_={"decision": row.excluded.decision, "actor": row.excluded.actor, "at": row.excluded.at},
        )
    )
    audit.record(
        session, actor=caller.name, action="bank_match.decide", subject=f"bank_match:{match.id}",
        evidence={"decision": said, "post": match.post_id, "entry": match.entry_id, "tier": match.tier,
                  "kind": match.kind, "score": round(match.score, 4)},
        now=now,
    )  # fmt: skip
    watch(session, {match.entry_id}, settings, now=now)
    return match


def of_entries(session: Session, ids: Collection[UUID]) -> dict[UUID, Precision]:
    """Precision of entries, all of them."""
    return _precision(session, BankMatch.entry_id, BankDecision.entry_id, ids)


def of_banks(session: Session, ids: Collection[UUID]) -> dict[UUID, Precision]:
    """Precision of banks, all of them."""
    return _precision(session, BankMatch.bank_id, BankDecision.bank_id, ids)


def watch(session: Session, ids: Collection[UUID], settings: BankSettings, *, now: datetime) -> list[UUID]:
    """Quarantine those of these entries that flood: many matches of late, enough decisions, few of them confirmed.

    Returns:
        The entries that were quarantined.
    """
    since = now - timedelta(hours=settings.flood_hours)
    busy = session.execute(
        select(BankMatch.entry_id, func.count())
        .where(BankMatch.entry_id.in_(ids), BankMatch.created_at > since)
        .group_by(BankMatch.entry_id)
        .having(func.count() >= settings.flood_matches)
        .order_by(BankMatch.entry_id)
    ).all()
    found = []
    precisions = of_entries(session, [row[0] for row in busy])
    for entry_id, count in busy:
        told = precisions[entry_id]
        decided = told.confirmed + told.rejected
        if decided < settings.flood_decisions or (told.precision or 0.0) >= settings.flood_precision:
            continue
        entry = session.get(BankEntry, entry_id, with_for_update=True)
        if entry is None or entry.quarantined_at is not None:
            continue
        reason = f"{count} matches in {settings.flood_hours:g} hours, {told.confirmed} of {decided} decided confirmed"
        entries.quarantine(session, entry, reason, now=now)
        queueing.flooded(session, entry, reason, now=now)
        webhooks.emit(
            session, Event.BANK_ENTRY_QUARANTINED,
            {"entry_id": str(entry.id), "bank_id": str(entry.bank_id), "reason": reason},
            key=f"{entry.id}:{now.isoformat()}", now=now,
        )  # fmt: skip
        found.append(entry_id)
    return found


def _precision(
    session: Session,
    matched: InstrumentedAttribute[UUID],
    decided: InstrumentedAttribute[UUID],
    ids: Collection[UUID],
) -> dict[UUID, Precision]:
    if not ids:
        return {}
    counts = dict(
        session.execute(
            select(matched, func.count()).where(matched.in_(ids), BankMatch.current).group_by(matched)
        ).all()
    )
    said = {
        row[0]: (row[1], row[2])
        for row in session.execute(
            select(
                decided,
                func.sum(case((BankDecision.decision == "confirmed", 1), else_=0)),
                func.sum(case((BankDecision.decision == "rejected", 1), else_=0)),
            )
            .where(decided.in_(ids))
            .group_by(decided)
        )
    }
    return {id_: Precision(counts.get(id_, 0), *(int(n) for n in said.get(id_, (0, 0)))) for id_ in ids}
