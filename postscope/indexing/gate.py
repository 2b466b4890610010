"""Queries come first: ingest works in slices, and lets waiting queries pass between two of them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class PriorityGate:
    """Counts the queries under way; ingest waits between slices while there are any.

    A steady stream of queries must not starve ingest: it waits at most ``patience`` seconds a slice. While nobody has
    asked for ``calm`` seconds slices may be larger, which the encoder likes: only the first query after that waits
    for one of them.
    """

    def __init__(self, patience: float = 0.25, calm: float = 5.0) -> None:
        self._patience = patience
        self._calm = calm
        self._asked = -math.inf
        self._quiet = threading.Condition()
        self._queries = 0

    @contextmanager
    def query(self) -> Iterator[None]:
        """Hold ingest back for the length of the block."""
        with self._quiet:
            self._queries += 1
            self._asked = time.monotonic()
        try:
            yield
        finally:
            with self._quiet:
                self._queries -= 1
                if not self._queries:
                    self._quiet.notify_all()

    def slice_of(self, small: int, large: int) -> int:
        """How much ingest may do before it looks again: ``large`` where nobody has asked for a while."""
        with self._quiet:
            return small if time.monotonic() - self._asked < self._calm else large

    def pause_for_queries(self) -> None:
        """Called by ingest between slices."""
        with self._quiet:
            self._quiet.wait_for(lambda: not self._queries, timeout=self._patience)
