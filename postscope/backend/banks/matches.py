"""Matches of a bank, to read."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.auth import Caller
from postscope.backend.banks import catalogue
from postscope.backend.tables import BankMatch


def page(
    session: Session,
    bank_id: UUID,
    caller: Caller,
    *,
    entry_id: UUID | None,
    undecided: bool,
    before: UUID | None,
    limit: int,
) -> list[BankMatch]:
    """Present matches of a bank, or of one entry of it, the newest first.

    Raises:
        NotFound: the caller may not see it.
    """
    catalogue.readable(session, bank_id, caller)
    query = select(BankMatch).where(BankMatch.bank_id == bank_id, BankMatch.current)
    if entry_id is not None:
        query = query.where(BankMatch.entry_id == entry_id)
    if undecided:
        query = query.where(BankMatch.decision.is_(None))
    if before is not None:
        query = query.where(BankMatch.id < before)
    return list(session.scalars(query.order_by(BankMatch.id.desc()).limit(limit)))
