"""Vectors that were made lately, so that what comes again is not encoded again.

A post is indexed at once and again when its media were taken apart; then only what is new is encoded. Reposts of one
picture meet here too.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from postscope.indexing.types import Vector


class RecentVectors:
    """Keeps the vectors used last, by a key that names their content. Safe to use from several threads.

    Args:
        size: how many are kept, at least 1.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Vector] = OrderedDict()

    def get(self, key: str) -> Vector | None:
        """The vector of this content, if it is still there."""
        with self._lock:
            vector = self._kept.get(key)
            if vector is not None:
                self._kept.move_to_end(key)
            return vector

    def put(self, key: str, vector: Vector) -> None:
        """Keep a vector; the one that was not used for longest makes room."""
        with self._lock:
            self._kept[key] = vector.copy()  # a row would hold the whole batch that it was made in
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def all_of(
        self, keys: Sequence[str], make: Callable[[Sequence[str]], Sequence[Vector]], *, slice_of: int
    ) -> dict[str, Vector]:
        """The vector of every key, of which ``make`` makes those that are not here, in slices of this size."""
        found: dict[str, Vector] = {}
        missing: list[str] = []
        for key in dict.fromkeys(keys):
            vector = self.get(key)
            if vector is None:
                missing.append(key)
            else:
                found[key] = vector
        for start in range(0, len(missing), slice_of):
            chosen = missing[start : start + slice_of]
            for key, vector in zip(chosen, make(chosen), strict=True):
                found[key] = vector
                self.put(key, vector)
        return found
