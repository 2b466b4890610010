"""Puts things into the review queue, and takes out what came to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend.banks.catalogue import new_id
from postscope.backend.banks.judging import Judged
from postscope.backend.banks.probing import Unchecked, told_of
from postscope.backend.banks.schema import SEVERITIES
from postscope.backend.tables import BankEntry, BankMatch, ReviewItem

_UNCHECKED_SEVERITY: Final = 1


def follow_checks(session: Session, judged: Mapping[UUID, Judged], *, now: datetime) -> None:
    """What could not be checked is looked at by a person; what could be since is not any more."""
    open_now = set(
        session.scalars(
            select(ReviewItem.post_id).where(
                ReviewItem.post_id.in_(judged), ReviewItem.kind == "could_not_check", ReviewItem.state == "open"
            )
        )
    )
    for post_id, one in judged.items():
        if one.verdict == "could_not_check":
            unchecked = one.checkable.unchecked
            reason = "; ".join(f"{_named(u)}: {u.reason}" for u in unchecked)
            _open(
                session,
                "could_not_check",
                _UNCHECKED_SEVERITY,
                reason,
                {"unchecked": told_of(unchecked)},
                post_id=post_id,
                now=now,
            )
        elif post_id in open_now:
            session.execute(
                update(ReviewItem)
                .where(ReviewItem.post_id == post_id, ReviewItem.kind == "could_not_check", ReviewItem.state == "open")
                .values(state="withdrawn", decided_at=now)
            )


def hold(session: Session, match: BankMatch, severity: str, reason: str, *, now: datetime) -> None:
    """A post is to be looked at because of a match."""
    detail = {"match_id": str(match.id), "tier": match.tier, "kind": match.kind, "score": round(match.score, 4)}
    _open(
        session, "hold", SEVERITIES.index(severity), reason, detail,
        post_id=match.post_id, entry_id=match.entry_id, bank_id=match.bank_id, now=now,
    )  # fmt: skip


def flooded(session: Session, entry: BankEntry, reason: str, *, now: datetime) -> None:
    """An entry was quarantined: somebody has to decide on it."""
    _open(
        session, "quarantine", SEVERITIES.index(entry.severity), reason, {},
        entry_id=entry.id, bank_id=entry.bank_id, now=now,
    )  # fmt: skip


def _open(
    session: Session,
    kind: str,
    severity: int,
    reason: str,
    detail: dict[str, Any],
    *,
    now: datetime,
    post_id: UUID | None = None,
    entry_id: UUID | None = None,
    bank_id: UUID | None = None,
) -> None:
    """One open item a kind, post and entry: the same again renews its reason."""
    row = insert(ReviewItem).values(
        id=new_id(), kind=kind, post_id=post_id, entry_id=entry_id, bank_id=bank_id, severity=severity,
        reason=reason[:2_000], detail=detail, state="open", created_at=now,
    )  # fmt: skip
    session.execute(
        row.on_conflict_do_update(
            index_elements=["kind", "post_id", "entry_id"],
            # Written out: a parameter would match no index once the statement is prepared for every value.
            index_where=text("state = 'open'"),
            set_={"reason": row.excluded.reason, "detail": row.excluded.detail, "severity": row.excluded.severity},
        )
    )


def _named(part: Unchecked) -> str:
    return part.part if part.place is None else f"medium {part.place}"
