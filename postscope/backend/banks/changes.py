"""The log of changes of banks, by which every process knows what to read anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from postscope.backend.tables import BankChange

_LOCK = 0x62616E6B  # the bytes of "bank"


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be read anew: ``entries`` and all of ``imports``; ``last`` is the number that this leads to."""

    last: int
    entries: tuple[UUID, ...]
    imports: tuple[UUID, ...]


def note(session: Session, entries: Sequence[UUID], *, now: datetime, import_id: UUID | None = None) -> int:
    """Say that these entries (or, with none, the banks themselves) have changed.

    Called last in a transaction: from here to its commit whoever changes banks waits, so that numbers become visible
    in their order.

    Returns:
        The number of the change.
    """
    session.flush()
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    number = latest(session) + 1
    session.add(BankChange(number=number, entries=list(entries), import_id=import_id, at=now))
    session.flush()
    return number


def latest(session: Session) -> int:
    """The number of the newest change; 0 before the first."""
    return int(session.scalar(select(func.max(BankChange.number))) or 0)


def since(session: Session, number: int) -> Changes:
    """All that changed after a number."""
    rows = session.execute(
        select(BankChange.number, BankChange.entries, BankChange.import_id)
        .where(BankChange.number > number)
        .order_by(BankChange.number)
    ).all()
    entries = dict.fromkeys(entry for row in rows for entry in row.entries)
    imports = dict.fromkeys(row.import_id for row in rows if row.import_id is not None)
    return Changes(rows[-1].number if rows else number, tuple(entries), tuple(imports))
