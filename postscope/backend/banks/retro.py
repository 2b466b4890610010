"""How a sweep is asked for: a new or widened entry against all history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend import audit, runs
from postscope.backend.auth import Caller, Role
from postscope.backend.banks import catalogue
from postscope.backend.errors import Invalid
from postscope.backend.tables import BankEntry, Run

KIND: Final = "banks.retro"


def start(
    session: Session,
    bank_id: UUID,
    entry_ids: Sequence[UUID],
    caller: Caller,
    *,
    dry_run: bool,
    thresholds: dict[str, float],
    now: datetime,
) -> Run:
    """Ask for a sweep with these entries, or with all of a bank's.

    Args:
        session: the run exists when it commits.
        bank_id: of the entries.
        entry_ids: none: all.
        caller: who asks; may change the bank.
        dry_run: only count, and show examples.
        thresholds: of a dry run, instead of the entries' own.
        now: the time.

    Raises:
        NotFound, Forbidden: the caller may not see or not change the bank.
        Invalid: an entry is not of this bank, or thresholds are given although it is no dry run.
        Conflict: ``run_exists``: the same sweep is waiting or running.
    """
    bank = catalogue.writable(session, bank_id, caller)
    if thresholds and not dry_run:
        raise Invalid.of("thresholds", "can be tried in a dry run alone; change the entry to apply them")
    known = set(session.scalars(select(BankEntry.id).where(BankEntry.bank_id == bank_id, BankEntry.id.in_(entry_ids))))
    for number, entry_id in enumerate(entry_ids):
        if entry_id not in known:
            raise Invalid.of(f"entries.{number}", "there is no such entry in this bank")
    told = {
        "bank_id": str(bank_id),
        "entries": [str(entry_id) for entry_id in entry_ids],
        "dry_run": dry_run,
        "thresholds": thresholds,
    }
    run = runs.start(
        session, KIND, told, actor=caller.name, readers=[Role(role) for role in bank.readers], now=now,
        exclusive=f"{KIND}:{bank_id}:{dry_run}",
    )  # fmt: skip
    if not dry_run:
        audit.record(
            session, actor=caller.name, action="bank.retro", subject=f"bank:{bank_id}",
            evidence={"run": str(run.id), "entries": told["entries"]}, now=now,
        )  # fmt: skip
    return run
