"""The fingerprints of all posts in memory, kept up with the table."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy import select

from postscope.backend.arrays import among
from postscope.backend.database import Database
from postscope.backend.tables import FingerprintRow
from postscope.indexing.hamming import HammingIndex, Near, Rows

INDEXED = ("pdq", "shingles", "scene", "sound")
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

    def nearest(
        self, kind: str, fingerprints: Sequence[bytes], count: int, *, radius: int, each: int
    ) -> list[list[Near]]:
        """For each fingerprint the nearest entries, none further than ``radius``, and of those that are all the same
        the first ``each``; see ``within``."""
        return self.fresh(kind).nearest_unlike(fingerprints, count, radius=radius, each=each)

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


@dataclass(frozen=True, slots=True)
class Owner:
    """What a fingerprint is of."""

    post_id: UUID
    media_id: UUID | None


def owners(database: Database, numbers: Sequence[int]) -> dict[int, Owner]:
    """Of the rows with these numbers; those that are gone are left out."""
    with database.session() as session:
        found = session.execute(
            select(FingerprintRow.seq, FingerprintRow.post_id, FingerprintRow.media_id).where(
                among(FingerprintRow.seq, numbers)
            )
        )
        return {row.seq: Owner(row.post_id, row.media_id) for row in found}
