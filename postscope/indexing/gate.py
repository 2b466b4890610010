"""Queries come first: ingest works in slices, and lets waiting queries pass between two of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PriorityGate:
    """Counts the queries under way; ingest waits between slices while there are any.

    A steady stream of queries must not starve ingest: it waits at most ``patience`` seconds a slice.
    """

    def __init__(self, patience: float = 0.25) -> None:
        self._patience = patience
        self._quiet = threading.Condition()
        self._queries = 0

    @contextmanager
    def query(self) -> Iterator[None]:
        """Hold ingest back for the length of the block."""
        with self._quiet:
            self._queries += 1
        try:
            yield
        finally:
            with self._quiet:
                self._queries -= 1
                if not self._queries:
                    self._quiet.notify_all()

    def pause_for_queries(self) -> None:
        """Called by ingest between slices."""
        with self._quiet:
            self._quiet.wait_for(lambda: not self._queries, timeout=self._patience)
