"""Whether series have grown: hourly counts of a window against the weeks before, for many series at once.

Used by the ranking of trends, by the sweep over known topics, and by its replay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from postscope.indexing.buckets import phase, zone_of
from postscope.indexing.bursts import Floats, History, Prediction, predict, profile_of
from postscope.indexing.early_warning import SWEEP_SHARE

HOUR = timedelta(hours=1)
SWEPT_HOURS = (2, 8, 24)
"""Windows that a sweep tests; longer ones are for people to ask about."""
MARGIN = 0.05
"""Surprises come more often than the probabilities say: interest wanders by itself, and two looks at one window are not
quite one. Set on streams that no figure is reported of (``trend_replay``)."""
NEW_POSTS = 5
"""A series with fewer posts than this in its history emerges; one with more grows."""
ENOUGH_POSTS, ENOUGH_HOURS = 100, 24
"""The least that the stream must have had, over the least time, for a probability to mean anything."""
LEAST_EXPECTED = 3.0
"""A series that lets expect fewer posts than this says nothing about how busy the stream is."""
MOST_BUSY = 10.0

Phases: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Frame:
    """The hours of history and window.

    Attributes:
        stream: posts of the whole stream in each hour of the history, from its first post on.
        phases: hour of the week of each hour of the history.
        ahead: hour of the week of each hour of the window.
        usual: posts that the stream usually has in each hour of the window.
        enough: whether there is history enough to tell anything.
    """

    stream: Floats
    phases: Phases
    ahead: Phases
    usual: Floats
    enough: bool

    @classmethod
    def of(cls, stream: Mapping[int, int], history_since: datetime, since: datetime, to: datetime, tz: str) -> Frame:
        """Hours of the window are counted from ``since``, those of the history back from it."""
        seen = [hour for hour in stream if hour < 0]
        # Before its first post the stream was not there, which is no rhythm.
        past = min(int((since - history_since) / HOUR), -min(seen, default=0))
        hours = range(-past, math.ceil((to - since) / HOUR))
        phases = np.array(phase([since + hour * HOUR for hour in hours], zone_of(tz)), np.int64)
        counts = np.array([stream.get(hour, 0) for hour in range(-past, 0)], np.float64)
        enough = counts.sum() >= ENOUGH_POSTS and past >= ENOUGH_HOURS
        own = History(counts, np.ones(past), phases[:past])
        usual = np.zeros(len(phases) - past)
        if past:
            mean = float(counts.mean())
            usual = mean * profile_of(own, mean)[phases[past:]]
        return cls(counts, phases[:past], phases[past:], usual, bool(enough))

    def history(self, hours: Mapping[int, int]) -> History:
        """The past of a series with these posts by the hour."""
        counts = np.array([hours.get(hour, 0) for hour in range(-len(self.stream), 0)], np.float64)
        return History(counts, self.stream, self.phases)

    def predict(self, hours: Mapping[int, int], busy: float) -> Prediction:
        """What a series would have in the window, on which the stream is so many times as busy as usual."""
        return predict(self.history(hours), self.usual * busy, self.ahead.tolist())

    def busy(self, stream: Mapping[int, int], series: Mapping[str, Mapping[int, int]]) -> float:
        """How many times as busy as usual the window is: the weighted median over the series, so that one that bursts
        does not make all others seem to fade (as Anders and Huber 2010 bring samples to one size, by the median)."""
        rest = dict(stream)
        for hours in series.values():
            for hour, posts in hours.items():
                rest[hour] = max(rest.get(hour, 0) - posts, 0)
        ratios: list[tuple[float, float]] = []
        for hours in (rest, *series.values()):
            expected = self.predict(hours, 1.0).mean
            if expected >= LEAST_EXPECTED:
                ratios.append((sum(posts for hour, posts in hours.items() if hour >= 0) / expected, expected))
        ratios.sort()
        middle, passed = sum(weight for _, weight in ratios) / 2, 0.0
        for ratio, weight in ratios:
            passed += weight
            if passed >= middle:
                return min(max(ratio, 1 / MOST_BUSY), MOST_BUSY)
        return 1.0


@dataclass(frozen=True, slots=True)
class Growth:
    """A series that has more posts in the window than chance explains; ``allowed`` is the most likely that is not."""

    key: str
    observed: int
    prediction: Prediction
    allowed: float


def grown(
    frame: Frame, stream: Mapping[int, int], series: Mapping[str, Mapping[int, int]], *, budget: float, least: int
) -> tuple[list[Growth], int]:
    """The series that have grown, by key, and how many were tested.

    Args:
        frame: of a window of one of ``SWEPT_HOURS``.
        stream: posts of the whole stream by the hour; those of the history have negative numbers.
        series: the same of each series.
        budget: false alarms a day, of all detectors together.
        least: posts without which nothing is raised.
    """
    known = {key: counts for key, counts in series.items() if past_of(counts) >= NEW_POSTS}
    if not frame.enough or not known:
        return [], 0
    busy, hours = frame.busy(stream, series), len(frame.ahead)
    # All windows share what may be false; looks at one window within its own length are about one test.
    allowed = MARGIN * SWEEP_SHARE * budget / len(SWEPT_HOURS) / (len(known) * 24 / hours)
    found = []
    for key, counts in sorted(known.items()):
        observed = sum(counts.values()) - past_of(counts)
        if observed < least:
            continue
        prediction = frame.predict(counts, busy)
        if prediction.at_least(observed) <= allowed:
            found.append(Growth(key, observed, prediction, allowed))
    return found, len(known)


def past_of(counts: Mapping[int, int]) -> int:
    """Posts of a series before the window."""
    return sum(posts for hour, posts in counts.items() if hour < 0)
