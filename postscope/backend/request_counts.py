"""Counts of requests in this process's memory."""

from __future__ import annotations

import threading
import time
from typing import Final

from limits.storage import MemoryStorage

_SWEEP_SECONDS: Final = 60.0


class ProcessCounts(MemoryStorage):
    """The library's storage in memory starts a thread a request to forget what ran out, and waits for it to start: some
    milliseconds where other threads compute. Here a request in a minute does it.
    """

    STORAGE_SCHEME = ["postscope-process"]  # noqa: RUF012 - as the library declares it

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._sweep_at = 0.0

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count, and give what was counted: from zero where what was known ran out.

        Args:
            key: of a caller and a window.
            expiry: seconds until a key that was not known is forgotten.
            amount: to count.
        """
        now = time.time()
        with self._guard:
            if now >= self._sweep_at:
                self._sweep(now)
            if self.expirations.get(key, 0.0) <= now:
                self.storage[key] = 0
                self.expirations[key] = now + expiry
            self.storage[key] += amount
            return self.storage[key]

    def decr(self, key: str, amount: int = 1) -> int:
        """Take back what was counted, and give what is left."""
        with self._guard:
            if key in self.storage:
                self.storage[key] = max(self.storage[key] - amount, 0)
            return self.storage[key]

    def get(self, key: str) -> int:
        """What was counted; 0 where nothing was, or where it ran out."""
        return self.storage[key] if self.expirations.get(key, 0.0) > time.time() else 0

    def _sweep(self, now: float) -> None:
        for key in [key for key, until in self.expirations.items() if until <= now]:
            del self.expirations[key], self.storage[key]
        self._sweep_at = now + _SWEEP_SECONDS
