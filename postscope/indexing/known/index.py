"""An index of known content in memory: entries with their hashes, changed one by one while it is asked.

Less than 200 bytes an entry with one hash. Entries and hashes have places that are never given to another, so a change
appends or switches off and nothing that a running question holds is moved under it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from postscope.indexing.hamming import HammingIndex
from postscope.indexing.known.columns import Column
from postscope.indexing.known.signals import DEFAULTS, Kind, ThresholdKind, distinct_frames
from postscope.indexing.types import Vectors

EXACT: Final[tuple[Kind, ...]] = ("sha256", "md5", "text")
VectorPart = str
_NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class KnownEntry:
    """What matching has to know of an entry.

    Attributes:
        bank: number of its bank.
        thresholds: its own, by kind.
        expires: Unix seconds; None for never.
        active: whether it matches at all.
    """

    id: UUID
    bank: int
    thresholds: Mapping[str, float] = field(default_factory=dict)
    expires: float | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class KnownSignal:
    """One hash of an entry, as it is kept (see ``signals``)."""

    kind: Kind
    value: bytes


class KnownIndex:
    """Entries and hashes. Safe to call from several threads; writers wait for each other."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._ids = Column(np.dtype("V16"))
        self._banks = Column(np.dtype(np.int32))
        self._expires = Column(np.dtype(np.float64))
        self._active = Column(np.dtype(np.bool_))
        self._limits = {kind: Column(np.dtype(np.float32)) for kind in DEFAULTS}
        self._widest = dict(DEFAULTS)
        self._near = {kind: HammingIndex() for kind in ("pdq", "shingles", "vpdq", "scene", "sound")}
        self._owner = {kind: Column(np.dtype(np.int32)) for kind in self._near}
        self._exact: dict[str, dict[bytes, int | tuple[int, ...]]] = {kind: {} for kind in EXACT}
        self._frames: dict[int, tuple[bytes, ...]] = {}
        self._kinds: set[str] = set()
        self._vectors: dict[VectorPart, tuple[Vectors, npt.NDArray[np.int32]]] = {}

    def __len__(self) -> int:
        """Entries, those switched off and removed among them."""
        return len(self._ids)

    def change(self, entries: Sequence[tuple[KnownEntry, Sequence[KnownSignal]]]) -> None:
        """Add entries, or take over what has changed of those that are there; hashes of an entry never change."""
        if not entries:
            return
        with self._lock:
            places = self._places([entry.id for entry, _ in entries])
            fresh = [pair for pair, place in zip(entries, places, strict=True) if place is None]
            for (entry, _), place in zip(entries, places, strict=True):
                if place is not None:
                    self._update(place, entry)
            self._add(fresh)

    def remove(self, ids: Sequence[UUID]) -> None:
        """Switch entries off for good; unknown ones are silent."""
        with self._lock:
            for place in self._places(ids):
                if place is not None:
                    self._active.set(place, False)

    def set_vectors(self, part: VectorPart, vectors: Vectors, ids: Sequence[UUID]) -> None:
        """Replace all vectors (n, dim) of a part, one entry's id a row; rows of unknown entries are left out."""
        with self._lock:
            places = self._places(ids)
            kept = [row for row, place in enumerate(places) if place is not None]
            owners = np.array([places[row] for row in kept], np.int32)
            self._vectors[part] = (np.ascontiguousarray(vectors[kept], np.float32), owners)

    def change_vectors(self, part: VectorPart, vectors: Vectors, ids: Sequence[UUID], changed: Sequence[UUID]) -> None:
        """Replace the vectors of ``changed`` entries by these (n, dim), one entry's id a row; the others stay."""
        with self._lock:
            held = self._vectors.get(part)
            if held is None:
                if len(vectors):
                    self.set_vectors(part, vectors, ids)
                return
            gone = [place for place in self._places(changed) if place is not None]
            stays = ~np.isin(held[1], gone)
            if stays.all() and not len(vectors):
                return
            places = self._places(ids)
            kept = [row for row, place in enumerate(places) if place is not None]
            fresh = vectors[kept].astype(np.float32) if kept else np.empty((0, held[0].shape[1]), np.float32)
            owners = np.array([places[row] for row in kept], np.int32)
            self._vectors[part] = (np.concatenate([held[0][stays], fresh]), np.concatenate([held[1][stays], owners]))

    def vectors(self, part: VectorPart) -> tuple[Vectors, npt.NDArray[np.int32]] | None:
        """Vectors of a part and the places of their entries."""
        return self._vectors.get(part)

    def with_vectors(self) -> int:
        """How many entries have vectors."""
        owners = [held[1] for held in self._vectors.values()]
        return len(np.unique(np.concatenate(owners))) if owners else 0

    def equal(self, kind: Kind, value: bytes) -> tuple[int, ...]:
        """Places of entries that have exactly this hash."""
        found = self._exact[kind].get(value, ())
        return found if isinstance(found, tuple) else (found,)

    def near(self, kind: Kind, values: Sequence[bytes], radius: int) -> list[list[tuple[int, int]]]:
        """For each fingerprint the (place of entry, bits apart) within a radius, nearest first."""
        owner = self._owner[kind]
        return [
            [(int(owner.get(near.number - 1)), near.distance) for near in found]
            for found in self._near[kind].within(values, radius)
        ]

    def any_near(self, kind: Kind, values: Sequence[bytes], radius: int) -> list[bool]:
        """For each fingerprint whether any is within a radius, of entries that are switched off among them."""
        return [bool(found) for found in self._near[kind].nearest(values, 1, radius=radius)]

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of hashes that any entry has had."""
        return frozenset(self._kinds)

    def count(self, kind: Kind) -> int:
        """How many hashes of a kind are looked up by nearness."""
        return len(self._near[kind])

    def most(self) -> int:
        """How many hashes there are of the kind that has the most, of those that are looked up by nearness."""
        return max(len(near) for near in self._near.values())

    def frames(self, place: int) -> tuple[bytes, ...]:
        """PDQs of an entry's video."""
        return self._frames.get(place, ())

    def entry(self, place: int) -> tuple[UUID, int]:
        """Id and bank of an entry."""
        return UUID(bytes=bytes(self._ids.get(place))), self.bank(place)

    def bank(self, place: int) -> int:
        """Number of the bank of an entry."""
        return int(self._banks.get(place))

    def alive(self, place: int, now: float) -> bool:
        """Whether an entry matches at this time (Unix seconds)."""
        return bool(self._active.get(place)) and float(self._expires.get(place)) > now

    def threshold(self, place: int, kind: ThresholdKind) -> float:
        """An entry's own threshold, or the default."""
        return float(self._limits[kind].get(place))

    def widest(self, kind: ThresholdKind) -> float:
        """The most lenient threshold that any entry has had."""
        return self._widest[kind]

    def _update(self, place: int, entry: KnownEntry) -> None:
        self._banks.set(place, entry.bank)
        self._expires.set(place, _NEVER if entry.expires is None else entry.expires)
        for kind in DEFAULTS:
            self._limits[kind].set(place, self._limit(entry, kind))
        self._active.set(place, entry.active)

    def _add(self, entries: Sequence[tuple[KnownEntry, Sequence[KnownSignal]]]) -> None:
        if not entries:
            return
        start = len(self._ids)
        told = [entry for entry, _ in entries]
        self._banks.extend([entry.bank for entry in told])
        self._expires.extend([_NEVER if entry.expires is None else entry.expires for entry in told])
        for kind in DEFAULTS:
            self._limits[kind].extend([self._limit(entry, kind) for entry in told])
        self._active.extend([entry.active for entry in told])
        self._ids.extend([entry.id.bytes for entry in told])
        near: dict[str, tuple[list[bytes], list[int]]] = {name: ([], []) for name in self._near}
        for place, (_, signals) in enumerate(entries, start):
            for name, value in _looked_up(signals):
                self._kinds.add(name)
                if name in EXACT:
                    self._add_exact(name, value, place)
                    continue
                near[name][0].append(value)
                near[name][1].append(place)
            frames = tuple(pdq for name, pdq in _looked_up(signals) if name == "vpdq")
            if frames:
                self._frames[place] = frames
        for name, (values, owners) in near.items():
            numbers = range(len(self._owner[name]) + 1, len(self._owner[name]) + 1 + len(values))
            self._owner[name].extend(owners)  # before the index: what it finds must have an owner
            self._near[name].append(list(zip(numbers, values, strict=True)))

    def _add_exact(self, kind: str, value: bytes, place: int) -> None:
        before = self._exact[kind].get(value)
        if before is None:
            self._exact[kind][value] = place
        else:
            self._exact[kind][value] = (*(before if isinstance(before, tuple) else (before,)), place)

    def _limit(self, entry: KnownEntry, kind: ThresholdKind) -> float:
        limit = float(entry.thresholds.get(kind, DEFAULTS[kind]))
        choose = max if kind == "pdq" else min
        self._widest[kind] = choose(self._widest[kind], limit)
        return limit

    def _places(self, ids: Sequence[UUID]) -> list[int | None]:
        """Where entries are. A scan over all ids once a call: changes are rare, and a dictionary would take more
        memory than all the rest."""
        held = self._ids.values()
        if not len(held):
            return [None] * len(ids)
        halves = np.frombuffer(held.tobytes(), np.uint64)[1::2]
        asked = np.array([int.from_bytes(known.bytes[8:], "little") for known in ids], np.uint64)
        hits = np.flatnonzero(np.isin(halves, asked))
        found = {bytes(held[place]): int(place) for place in hits}
        return [found.get(known.bytes) for known in ids]


def _looked_up(signals: Iterable[KnownSignal]) -> list[tuple[str, bytes]]:
    """(kind, value) of all that is looked up; a video is looked up by its frames."""
    found: list[tuple[str, bytes]] = []
    for signal in signals:
        if signal.kind == "vpdq":
            found += [("vpdq", pdq) for pdq in distinct_frames(signal.value)]
        else:
            found.append((signal.kind, signal.value))
    return found
