"""A small cache of what is costly to make."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class LastUsed(Generic[T]):
    """The values that were used last. What is behind a key never changes. Safe to use from several threads."""

    def __init__(self, most: int = 16) -> None:
        self._lock = threading.Lock()
        self._most = most
        self._kept: OrderedDict[tuple[object, ...], T] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> T | None:
        """What was put under this key, if it is still here."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: tuple[object, ...], value: T) -> None:
        """Keep it, and forget what was not used for longest."""
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
