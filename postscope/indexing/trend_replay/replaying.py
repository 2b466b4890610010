"""Feeds a stream in the order of its times to the early warning, and to a plain z-score on counts of topics.

Both see the same posts with the same vectors, and nothing of what comes later. An alarm belongs to the burst that has
most of its posts; one with less than half of them from any burst is false. One on a flood of copies or of one author
is false unless it is marked. Further alarms on a burst that was found are counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postscope.indexing.early_warning import (
    HISTORY_HOURS,
    LOOSEST,
    MOST_NEIGHBOURS,
    RECENT_HOURS,
    STREAM_SHARE,
    WINDOWS,
    Around,
    assess,
    centre_of,
    distinct,
    marks_of,
    needed_score,
    same_as,
    without,
)
from postscope.indexing.trend_replay.stream import WARM_DAYS, Planted, Stream
from postscope.indexing.types import Vector, Vectors

Floats = npt.NDArray[np.float64]
BATCH = 256
TOPICS = 60
"""Of the z-score: topics are clusters of the talk before the first burst."""
Z_WINDOW = 2
"""Hours that it counts together; the mean and deviation are those of the hours before."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Raised at an hour, because of these posts; ``score`` says how sure, on the detector's own scale."""

    hour: float
    posts: frozenset[int]
    score: float
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What came of the alarms of one detector.

    Attributes:
        false_a_day: alarms on no burst, or on a flood without a mark.
        repeated: further alarms on bursts that were found.
        delays: hours from the start of each burst that was found, by its number.
        marked: floods that were raised with a mark, of all floods.
        days: from the end of the warm-up to the last post.
    """

    false_a_day: float
    repeated: int
    delays: dict[int, float]
    marked: tuple[int, int]
    days: float

    def recall(self, bursts: Sequence[Planted], least: int, most: int = 10**9) -> float:
        """Share of the bursts of ``least`` posts or more, below ``most``, that were found."""
        asked = [n for n, burst in enumerate(bursts) if not burst.flood and least <= burst.posts < most]
        return sum(n in self.delays for n in asked) / max(len(asked), 1)

    @property
    def precision(self) -> float:
        """Share of the alarms, repeated ones left out, that were right."""
        return len(self.delays) / max(len(self.delays) + self.false_a_day * self.days, 1)

    @property
    def median_delay(self) -> float:
        """Hours; of the bursts that were found."""
        return float(np.median(list(self.delays.values()))) if self.delays else float("nan")


def early_warning(stream: Stream, vectors: Vectors, *, budget: float) -> list[Alarm]:
    """The alarms of the early warning, with the rules of service: see ``postscope.indexing.early_warning``.

    ``budget`` is that of all detectors together, of which the surroundings of posts may spend ``STREAM_SHARE``.
    """
    hours = stream.hours
    alarms: list[Alarm] = []
    open_ones: list[tuple[float, Vector]] = []
    begin = int(np.searchsorted(hours, WARM_DAYS * 24))
    for at in range(begin, len(hours), BATCH):
        here = range(at, min(at + BATCH, len(hours)))
        alike = vectors[here.start : here.stop] @ vectors[: here.stop].T
        for row, post in enumerate(here):
            found = _look(stream, vectors, alike[row, : post + 1], post, budget)
            if found is None:
                continue
            centre = centre_of(vectors[sorted(found.posts)])
            open_ones = [one for one in open_ones if one[0] > found.hour - RECENT_HOURS]
            quiet = [found.hour - one[0] for one in open_ones]
            known = same_as(centre, [one[1] for one in open_ones], quiet)
            if known is None:
                alarms.append(found)
                open_ones.append((found.hour, centre))
            else:
                open_ones[known] = (found.hour, open_ones[known][1])
    return alarms


def _look(stream: Stream, vectors: Vectors, alike: npt.NDArray[np.float32], post: int, budget: float) -> Alarm | None:
    hours, now = stream.hours, float(stream.hours[post])
    recent = int(np.searchsorted(hours, now - RECENT_HOURS))
    first = int(np.searchsorted(hours, now - HISTORY_HOURS))
    near = recent + np.argsort(-alike[recent:], kind="stable")[:MOST_NEIGHBOURS]
    if len(near) < 6 or alike[near[5]] < LOOSEST:
        return None
    volumes = {window: post + 1 - int(np.searchsorted(hours, now - window)) for window in WINDOWS}
    older = -np.sort(-alike[first:recent].astype(np.float64))
    around = Around(alike[near].astype(np.float64), now - hours[near], older, volumes, recent - first)
    needed = needed_score(volumes[24.0], STREAM_SHARE * budget)
    group = assess(around)
    if group is None or group.score < needed:
        return None
    authors = [stream.authors[n] for n in near]
    own = assess(without(around, distinct(vectors[near], authors)))
    if own is not None and own.score >= needed:
        inside = near[(around.scores >= own.radius) & (around.ages <= own.window)]
        return Alarm(now, frozenset(map(int, inside)), own.score)
    inside = near[list(group.members)]
    marks = marks_of(vectors[inside], [stream.authors[n] for n in inside])
    return Alarm(now, frozenset(map(int, inside)), group.score, marked=True) if marks else None


def z_scores(stream: Stream, vectors: Vectors, *, seed: int = 0) -> list[Alarm]:
    """Alarms of a plain z-score: topics are clusters of the warm-up (k-means), every post goes to the nearest, and
    each hour a topic's count is compared with the mean and deviation of its own windows before. All that are above
    0; the threshold is for the caller to choose. One alarm a topic and day."""
    topic = nearest_topics(stream, vectors, seed=seed)
    last = int(stream.hours[-1]) + 1
    counts = np.zeros((TOPICS, last + 1))
    np.add.at(counts, (topic, stream.hours.astype(int)), 1)
    windows = np.cumsum(counts, axis=1)
    windows[:, Z_WINDOW:] = windows[:, Z_WINDOW:] - windows[:, :-Z_WINDOW]
    alarms = []
    for hour in range(WARM_DAYS * 24, last + 1):
        past = windows[:, max(Z_WINDOW, hour - int(HISTORY_HOURS)) : hour - Z_WINDOW]
        scores = (windows[:, hour] - past.mean(axis=1)) / np.maximum(past.std(axis=1), 0.5)
        inside = slice(*np.searchsorted(stream.hours, [hour + 1 - Z_WINDOW, hour + 1]))
        for number in np.flatnonzero(scores > 2):
            posts = inside.start + np.flatnonzero(topic[inside] == number)
            alarms.append(Alarm(hour + 1.0, frozenset(map(int, posts)), float(scores[number])))
    return alarms


def nearest_topics(stream: Stream, vectors: Vectors, *, seed: int = 0) -> npt.NDArray[np.int64]:
    """The topic of each post, shape (n,): the nearest of the clusters (k-means) of the warm-up."""
    from sklearn.cluster import KMeans

    warm = int(np.searchsorted(stream.hours, WARM_DAYS * 24))
    means = KMeans(TOPICS, n_init=1, random_state=seed).fit(vectors[:warm]).cluster_centers_
    return np.asarray(np.argmax(vectors @ means.T, axis=1), np.int64)


def judge(stream: Stream, alarms: Sequence[Alarm]) -> Found:
    """What these alarms are worth, in their order."""
    days = (float(stream.hours[-1]) - WARM_DAYS * 24) / 24
    false, repeated = 0, 0
    delays: dict[int, float] = {}
    marked: set[int] = set()
    for alarm in sorted(alarms, key=lambda one: one.hour):
        owners = stream.burst[sorted(alarm.posts)]
        numbers, counts = np.unique(owners[owners >= 0], return_counts=True)
        if not len(numbers) or counts.max() < 0.5 * len(owners):
            false += 1
            continue
        number = int(numbers[counts.argmax()])
        if stream.bursts[number].flood:
            if alarm.marked:
                marked.add(number)
            else:
                false += 1
        elif number in delays:
            repeated += 1
        else:
            delays[number] = alarm.hour - stream.bursts[number].start
    floods = sum(bool(burst.flood) for burst in stream.bursts)
    return Found(false / days, repeated, delays, (len(marked), floods), days)


def at_rate(stream: Stream, alarms: Sequence[Alarm], false_a_day: float) -> Found:
    """The best threshold, chosen afterwards, that gives at most so many false alarms a day; of one topic's alarms the
    first a day counts, as ``z_scores`` says."""
    levels = np.unique([round(alarm.score, 1) for alarm in alarms])
    low, high = 0, len(levels) - 1
    best = judge(stream, [])
    while low <= high:  # false alarms fall as the threshold rises
        middle = (low + high) // 2
        found = judge(stream, _first_a_day([alarm for alarm in alarms if alarm.score >= levels[middle]]))
        if found.false_a_day <= false_a_day:
            best, high = found, middle - 1
        else:
            low = middle + 1
    return best


def _first_a_day(alarms: Sequence[Alarm]) -> list[Alarm]:
    kept: list[Alarm] = []
    for alarm in sorted(alarms, key=lambda one: one.hour):
        if not any(alarm.hour - one.hour < 24 and one.posts & alarm.posts for one in kept[-200:]):
            kept.append(alarm)
    return kept
