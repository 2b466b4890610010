"""The entries that a sweep through history looks for, as they are after one change of the banks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from postscope.backend.banks import changes, loading, vectors
from postscope.backend.tables import BankEntry, BankMatch, PostCheck
from postscope.indexing.known.index import KnownIndex


@dataclass(frozen=True, slots=True)
class Sought:
    """The entries of a sweep.

    Attributes:
        change: the last change of the banks that was looked at.
        index: the entries, with their vectors of one space.
        kinds: of the fingerprints of posts that could match them.
        parts: of posts that they could match: ``text``, ``media``.
        space: whose vectors these are.
        unlooked: entries that have vectors of other spaces alone, so that nobody can say what looks like them.
    """

    change: int
    index: KnownIndex
    kinds: tuple[str, ...]
    parts: tuple[str, ...]
    space: str
    unlooked: int


def sought(session: Session, params: dict[str, Any], space: str, before: Sought | None = None) -> Sought:
    """The entries that may match now, of a dry run also those that are switched off.

    Args:
        session: to read with.
        params: of the run.
        space: whose vectors are wanted.
        before: what was sought until now: kept where none of it has changed since.
    """
    change = changes.latest(session)
    if before is not None and before.space == space:
        if before.change == change:
            return before
        if not _touched(session, params, before.change):
            return replace(before, change=change)
    chosen = asked(params)
    if not params["dry_run"]:
        chosen += [BankEntry.enabled.is_(True), BankEntry.quarantined_at.is_(None)]
    ids = list(session.scalars(select(BankEntry.id).where(*chosen).order_by(BankEntry.id)))
    index = loading.of_entries(session, ids, params["thresholds"])
    loading.read_vectors(session, index, space, chosen)
    kinds = {"pdq" if kind == "vpdq" else kind for kind in index.kinds}
    parts = {"text" if kind in ("text", "shingles") else "media" for kind in kinds}
    return Sought(
        change, index, tuple(sorted(kinds)), tuple(sorted(parts)), space,
        vectors.count_lacking(session, space, among=chosen),
    )  # fmt: skip


def asked(params: dict[str, Any]) -> list[ColumnElement[bool]]:
    """Which entries a run is about."""
    chosen: list[ColumnElement[bool]] = [BankEntry.bank_id == UUID(params["bank_id"])]
    if params["entries"]:
        chosen.append(BankEntry.id.in_([UUID(entry) for entry in params["entries"]]))
    return chosen


def matched_before(
    session: Session, params: dict[str, Any], change: int, now: datetime, after: UUID, most: int
) -> list[UUID]:
    """Posts with a present match of these entries: what was narrowed, switched off or has expired must let go of them.

    Args:
        session: to read with.
        params: of the run.
        change: of the banks; posts that were checked since are left out.
        now: what has expired by then matches nothing.
        after: posts above this one.
        most: so many.
    """
    late = or_(PostCheck.change < change, BankEntry.expires_at <= now)
    return list(
        session.scalars(
            select(BankMatch.post_id)
            .join(BankEntry, BankEntry.id == BankMatch.entry_id)
            .join(PostCheck, PostCheck.post_id == BankMatch.post_id)
            .where(*asked(params), BankMatch.current, late, BankMatch.post_id > after)
            .distinct()
            .order_by(BankMatch.post_id)
            .limit(most)
        )
    )


def _touched(session: Session, params: dict[str, Any], since: int) -> bool:
    """Whether a change concerns these entries. One that is gone is not in the bank any more, so it counts as ours."""
    found = changes.since(session, since)
    if found.imports:
        return True
    there = select(BankEntry.id, BankEntry.bank_id).where(BankEntry.id.in_(found.entries))
    banks = {row.id: str(row.bank_id) for row in session.execute(there)}
    return any(
        banks.get(entry, params["bank_id"]) == params["bank_id"]
        and (not params["entries"] or str(entry) in params["entries"])
        for entry in found.entries
    )
