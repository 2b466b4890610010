"""The fingerprints of all posts in memory, kept up with the table."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import select

from postscope.backend.database import Database
from postscope.backend.tables import FingerprintRow
from postscope.indexing.hamming import HammingIndex, Near, Rows

INDEXED = ("pdq", "shingles")
"""Kinds that are looked up by nearness."""


class FingerprintIndexes:
    """One Hamming index a kind. Every search first catches up, so it sees all that was committed before it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._indexes: dict[str, HammingIndex] = {}

    def within(self, kind: str, fingerprints: Sequence[bytes], radius: int) -> list[list[Near]]:
        """For each fingerprint the entries at most ``radius`` bits away; numbers are ``seq`` of the table.

        An entry may be of a post that has been deleted since: what the table no longer has is no match. Tell
        ``forget`` of it.
        """
        return self.fresh(kind).within(fingerprints, radius)

    def nearest(self, kind: str, fingerprints: Sequence[bytes], count: int, *, radius: int) -> list[list[Near]]:
        """For each fingerprint the nearest entries, none further than ``radius``; see ``within``."""
        return self.fresh(kind).nearest(fingerprints, count, radius=radius)

    def forget(self, kind: str, numbers: Sequence[int]) -> None:
        """Entries whose rows are gone."""
        self._of(kind).remove(numbers)

    def fresh(self, kind: str) -> HammingIndex:
        """The index of a kind, with every row that is committed now."""
        index = self._of(kind)
        index.catch_up(partial(self._rows, kind))
        return index

    def _of(self, kind: str) -> HammingIndex:
        if kind not in INDEXED:
            raise ValueError(f"fingerprints of kind {kind!r} are not looked up by nearness")
        with self._lock:
            return self._indexes.setdefault(kind, HammingIndex())

    def _rows(self, kind: str, after: int, most: int) -> Rows:
        with self._database.session() as session:
            rows = session.execute(
                select(FingerprintRow.seq, FingerprintRow.value)
                .where(FingerprintRow.kind == kind, FingerprintRow.seq > after)
                .order_by(FingerprintRow.seq)
                .limit(most)
            )
            return [(row.seq, row.value) for row in rows]


def owners(database: Database, numbers: Sequence[int]) -> dict[int, FingerprintRow]:
    """The rows with these numbers that are still there, without their values read twice."""
    with database.session() as session:
        found = session.scalars(select(FingerprintRow).where(FingerprintRow.seq.in_(numbers)))
        return {row.seq: row for row in found}


def posts_of(database: Database, numbers: Sequence[int]) -> dict[int, UUID]:
    """Which post each of these rows is of; those that are gone are left out."""
    with database.session() as session:
        found = session.execute(
            select(FingerprintRow.seq, FingerprintRow.post_id).where(FingerprintRow.seq.in_(numbers))
        )
        return {row.seq: row.post_id for row in found}
