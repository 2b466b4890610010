"""The sweep over the counts of known topics, replayed: how often it is wrong where nothing happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from postscope.indexing.early_warning import HISTORY_HOURS, LEAST_GROUP, PAUSE_HOURS, distinct
from postscope.indexing.growth import SWEPT_HOURS, Frame, Growth, grown
from postscope.indexing.trend_replay.replaying import Alarm
from postscope.indexing.trend_replay.stream import WARM_DAYS, Stream
from postscope.indexing.types import Vectors

Topics = npt.NDArray[np.int64]
START = datetime(2026, 1, 5, tzinfo=UTC)
"""Hour 0 of a stream: a Monday."""


def talk_alone(stream: Stream, vectors: Vectors) -> tuple[Stream, Vectors]:
    """The same stream without what was planted: everyday talk with the rhythm of day and week."""
    kept = np.flatnonzero(stream.burst < 0)
    places = kept.tolist()
    texts, authors = [stream.texts[n] for n in places], [stream.authors[n] for n in places]
    talk = replace(stream, hours=stream.hours[kept], texts=texts, authors=authors, burst=stream.burst[kept], bursts=())
    return talk, vectors[kept]


def sweep(stream: Stream, vectors: Vectors, topic: Topics, *, budget: float, minutes: int) -> list[Alarm]:
    """The alarms of sweeps so many minutes apart, one a burst as in service.

    Args:
        stream: what is swept.
        vectors: of its posts, (n, dim).
        topic: of each post, shape (n,).
        budget: false alarms a day, of all detectors together.
        minutes: between two sweeps.
    """
    alarms: list[Alarm] = []
    until: dict[str, float] = {}
    for now in np.arange(WARM_DAYS * 24, float(stream.hours[-1]), minutes / 60):
        for hours in SWEPT_HOURS:
            for growth in _grown(stream, topic, float(now), hours, budget):
                posts = _inside(stream, topic, growth, float(now), hours)
                if now - hours <= until.get(growth.key, -np.inf) + PAUSE_HOURS:
                    until[growth.key] = float(stream.hours[posts[-1]])
                    continue
                kept = int(distinct(vectors[posts], [stream.authors[n] for n in posts]).sum())
                if kept >= LEAST_GROUP and growth.prediction.at_least(kept) <= growth.allowed:
                    until[growth.key] = float(stream.hours[posts[-1]])
                    score = -float(np.log10(growth.prediction.at_least(kept)))
                    alarms.append(Alarm(float(now), frozenset(map(int, posts)), score))
    return alarms


def _grown(stream: Stream, topic: Topics, now: float, hours: int, budget: float) -> Sequence[Growth]:
    since = now - hours
    first, last = np.searchsorted(stream.hours, [since - HISTORY_HOURS, now])
    recent = np.searchsorted(stream.hours, since)
    if np.bincount(topic[recent:last], minlength=1).max() < LEAST_GROUP:
        return []
    hour = np.floor(stream.hours[first:last] - since).astype(int)
    counted = _counts(hour)
    series = {str(one): _counts(hour[topic[first:last] == one]) for one in np.unique(topic[first:last])}
    at = START + timedelta(hours=now)
    frame = Frame.of(counted, at - timedelta(hours=hours + HISTORY_HOURS), at - timedelta(hours=hours), at, "UTC")
    return grown(frame, counted, series, budget=budget, least=LEAST_GROUP)[0]


def _counts(hour: npt.NDArray[np.int64]) -> dict[int, int]:
    values, counts = np.unique(hour, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _inside(stream: Stream, topic: Topics, growth: Growth, now: float, hours: int) -> npt.NDArray[np.int64]:
    first, last = np.searchsorted(stream.hours, [now - hours, now])
    return np.asarray(first + np.flatnonzero(topic[first:last] == int(growth.key)), np.int64)
