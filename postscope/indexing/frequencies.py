"""How rare words are, remembered for a short while: asking anew at every search would cost more than the search."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

MOST = 50_000
"""Words remembered; with more, all are forgotten, and the few that matter are soon known again."""


class Frequencies:
    """Inverse document frequencies by collection and term. Safe to use from several threads.

    Args:
        seconds: how long one is good for; the share of posts with a word changes slowly.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        self._lifetime = timedelta(seconds=seconds)
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], tuple[float, datetime]] = {}

    def known(self, collection: str, terms: Iterable[int], *, now: datetime) -> dict[int, float]:
        """Those of the terms that were asked for a short while ago."""
        with self._lock:
            found = {term: self._known.get((collection, term)) for term in terms}
        return {term: entry[0] for term, entry in found.items() if entry is not None and now < entry[1]}

    def remember(self, collection: str, frequencies: Mapping[int, float], *, now: datetime) -> None:
        """What was found just now."""
        until = now + self._lifetime
        with self._lock:
            if len(self._known) + len(frequencies) > MOST:
                self._known.clear()
            self._known.update({(collection, term): (value, until) for term, value in frequencies.items()})
