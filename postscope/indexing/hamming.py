"""An exact index of 256-bit fingerprints in memory, on FAISS: 32 bytes an entry, and 8 for its number.

Entries are numbered by the table they come from, and only ever added in rising order, so that every process can catch
up with the table by asking for what came after the last number it has.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

BYTES: Final = 32
BITS: Final = 8 * BYTES
_COMPACT_FROM: Final = 1_000
_COMPACT_SHARE: Final = 0.1
_MOST_LOOKED_AT: Final = 8_192
_SHARED_FROM: Final = 2_000_000
"""Comparisons from which all cores take part."""

Codes = npt.NDArray[np.uint8]
Rows = Sequence[tuple[int, bytes]]
Fetch = Callable[[int, int], Rows]
"""(after, most) -> up to ``most`` rows (number, fingerprint) with numbers above ``after``, rising."""


@dataclass(frozen=True, slots=True)
class Near:
    """An entry near the fingerprint that was asked for."""

    number: int
    distance: int


class HammingIndex:
    """Entries within a radius, or the nearest. Safe to call from several threads; one works at a time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._codes = _empty()
        self._numbers: list[npt.NDArray[np.int64]] = []
        self._joined = np.empty(0, np.int64)
        self._dead: set[int] = set()
        self._last = 0

    def __len__(self) -> int:
        with self._lock:
            return int(self._codes.ntotal) - len(self._dead)

    @property
    def last(self) -> int:
        """The highest number that was ever added; 0 before the first."""
        return self._last

    def append(self, rows: Rows) -> None:
        """Add entries.

        Raises:
            ValueError: numbers do not rise from the last one on, or a fingerprint has not 32 bytes.
        """
        if not rows:
            return
        numbers = np.fromiter((number for number, _ in rows), np.int64, len(rows))
        if any(len(value) != BYTES for _, value in rows):
            raise ValueError(f"a fingerprint has {BYTES} bytes")
        codes = np.frombuffer(b"".join(value for _, value in rows), np.uint8).reshape(-1, BYTES)
        with self._lock:
            if numbers[0] <= self._last or (np.diff(numbers) <= 0).any():
                raise ValueError("numbers must rise, each entry is added once")
            self._codes.add(codes)
            self._numbers.append(numbers)
            self._last = int(numbers[-1])

    def catch_up(self, fetch: Fetch, *, most: int = 50_000) -> int:
        """Add all that came since.

        Args:
            fetch: reads the table.
            most: rows a call.

        Returns:
            How many entries were added.
        """
        added = 0
        with self._lock:
            while True:
                rows = fetch(self._last, most)
                self.append(rows)
                added += len(rows)
                if len(rows) < most:
                    return added

    def remove(self, numbers: Iterable[int]) -> None:
        """Never answer with these again; unknown ones are silent."""
        with self._lock:
            places = self._places()
            asked = np.fromiter(numbers, np.int64)
            self._dead.update(asked[np.isin(asked, places)].tolist())
            if len(self._dead) > max(_COMPACT_FROM, _COMPACT_SHARE * len(places)):
                self._compact(places)

    def within(self, fingerprints: Sequence[bytes], radius: int) -> list[list[Near]]:
        """For each fingerprint the entries at most ``radius`` bits away, nearest first, then by number."""
        if not fingerprints:
            return []
        asked = _codes(fingerprints)
        with self._lock:
            if not self._codes.ntotal:
                return [[] for _ in fingerprints]
            # FAISS wants less than the radius, not at most
            with _threads(int(self._codes.ntotal) * len(asked)):
                limits, distances, places = self._codes.range_search(asked, radius + 1)
            numbers = self._places()[places]
            return [
                self._sorted(numbers[start:end], distances[start:end])
                for start, end in zip(limits[:-1].astype(int), limits[1:].astype(int), strict=True)
            ]

    def nearest(self, fingerprints: Sequence[bytes], count: int, *, radius: int = BITS) -> list[list[Near]]:
        """For each fingerprint the ``count`` nearest entries, none further than ``radius``; ties by number."""
        if not fingerprints or count < 1:
            return [[] for _ in fingerprints]
        asked = _codes(fingerprints)
        with self._lock:
            # those that are dead may come first, and must not take the place of the living
            most = min(int(self._codes.ntotal), count + len(self._dead))
            if not most:
                return [[] for _ in fingerprints]
            with _threads(int(self._codes.ntotal) * len(asked)):
                distances, places = self._codes.search(asked, most)
            numbers = self._places()[places]
            found = [self._sorted(row, far) for row, far in zip(numbers, distances, strict=True)]
        return [[near for near in row if near.distance <= radius][:count] for row in found]

    def nearest_unlike(
        self, fingerprints: Sequence[bytes], count: int, *, radius: int = BITS, each: int
    ) -> list[list[Near]]:
        """As ``nearest``, but of entries with one and the same fingerprint no more than ``each``, those that were added
        first: a thousand reposts of one thing hide nothing that is near it.

        Among the nearest 8,192 entries; what more of one fingerprint hide is left out.
        """
        found: dict[bytes, list[Near]] = {}
        waiting, most = list(dict.fromkeys(fingerprints)), count  # a wave asks for the same again and again
        while waiting:
            crowded = []
            for asked, row in zip(waiting, self.nearest(waiting, most, radius=radius), strict=True):
                found[asked] = self._thinned(row, each)[:count]
                if len(row) == most and len(found[asked]) < count:
                    crowded.append(asked)
            waiting, most = crowded if most < _MOST_LOOKED_AT else [], min(8 * most, _MOST_LOOKED_AT)
        return [list(found[asked]) for asked in fingerprints]

    def _thinned(self, row: Sequence[Near], each: int) -> list[Near]:
        if len(row) <= each or max(Counter(near.distance for near in row).values()) <= each:
            return list(row)
        with self._lock:
            places = np.searchsorted(self._places(), [near.number for near in row]).tolist()
            codes = [self._codes.reconstruct(place).tobytes() for place in places]
        met: Counter[bytes] = Counter()
        kept = []
        for near, code in zip(row, codes, strict=True):
            met[code] += 1
            if met[code] <= each:
                kept.append(near)
        return kept

    def _sorted(self, numbers: npt.NDArray[np.int64], distances: npt.NDArray[np.int32]) -> list[Near]:
        order = np.lexsort((numbers, distances))
        found = zip(numbers[order].tolist(), distances[order].tolist(), strict=True)
        return [Near(number, int(far)) for number, far in found if number not in self._dead]

    def _places(self) -> npt.NDArray[np.int64]:
        """The number of the entry at each place of the FAISS index."""
        if self._numbers:
            self._joined = np.concatenate([self._joined, *self._numbers])
            self._numbers = []
        return self._joined

    def _compact(self, places: npt.NDArray[np.int64]) -> None:
        kept = ~np.isin(places, np.fromiter(self._dead, np.int64))
        codes = np.asarray(_vector(self._codes.xb)).reshape(-1, BYTES)[kept]
        self._codes = _empty()
        self._codes.add(codes)
        self._joined, self._dead = places[kept], set()


def nearest_two(asked: Codes, among: Codes) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """For each of ``asked`` (n, 32) the two nearest of ``among`` (m, 32; two at least): bits apart and rows, (n, 2)."""
    index = _empty()
    index.add(np.ascontiguousarray(among))
    with _threads(len(asked) * len(among)):
        distances, rows = index.search(np.ascontiguousarray(asked), 2)
    return distances, rows


@contextmanager
def _threads(comparisons: int) -> Iterator[None]:
    """One thread for what takes a millisecond: on busy cores waiting for the others takes a hundred times that."""
    import faiss

    before = faiss.omp_get_max_threads()
    if comparisons < _SHARED_FROM:
        faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _empty() -> Any:
    import faiss

    return faiss.IndexBinaryFlat(BITS)


def _vector(held: Any) -> Any:
    import faiss

    return faiss.vector_to_array(held)


def _codes(fingerprints: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    if any(len(value) != BYTES for value in fingerprints):
        raise ValueError(f"a fingerprint has {BYTES} bytes")
    return np.frombuffer(b"".join(fingerprints), np.uint8).reshape(-1, BYTES)
