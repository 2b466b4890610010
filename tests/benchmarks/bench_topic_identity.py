"""Whether topics keep their ids: the airline tweets replayed day by day in moving windows, against BERTopic.

python -m tests.benchmarks.bench_topic_identity [--days 3] [--windows N]

Each window is discovered anew. Ours goes through ``discover`` and the matching that a run uses (shared posts and
centres, one optimal assignment; a topic that was not found again may come back). BERTopic, with its defaults and the
same vectors, is fitted anew on each window, and its topics take the ids of the last window's by an optimal assignment
on the cosines of their centres; a second line matches BERTopic's topics as ours are matched. Counted are posts that are
in both of two consecutive windows: those that had a topic, and all (an outlier that stays one counts as the same).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from postscope.indexing.clustering.density import DensityClusterer
from postscope.indexing.clustering.themes import means
from postscope.indexing.topics.discovery import discover
from postscope.indexing.topics.identity import match
from postscope.indexing.types import Vectors
from tests.benchmarks import data, vectors
from tests.benchmarks.bench_topics import bertopic, job_of

FILE = "airline_tweets.jsonl.gz"
Labels = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]


@dataclass
class Replay:
    """What one way of discovering and matching said of each post, window after window.

    Attributes:
        centres: of every topic there was, by id.
        ids: of each post in the last window; -1 for an outlier, -2 for a post that was not in it.
    """

    name: str
    by_members: bool
    count: int
    centres: list[npt.NDArray[np.float32]] = field(default_factory=list)
    recent: list[int] = field(default_factory=list)
    ids: Labels = field(init=False)
    same: list[float] = field(default_factory=list)
    same_of_all: list[float] = field(default_factory=list)
    outliers: list[float] = field(default_factory=list)
    topics: list[int] = field(default_factory=list)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.ids = np.full(self.count, -2, np.int32)

    def take(self, places: Places, labels: Labels, rows: Vectors) -> None:
        """The next window: its posts, their clusters, their vectors."""
        k = int(labels.max(initial=-1)) + 1
        fresh = means(rows, labels, k)
        given = np.array([*self._numbers(places, labels, fresh, k), -1], np.int32)
        said = given[labels]
        before = self.ids[places]
        both = before > -2
        if both.any():
            had = both & (before >= 0)
            self.same.append(float((said[had] == before[had]).mean()))
            self.same_of_all.append(float((said[both] == before[both]).mean()))
        self.outliers.append(float((labels < 0).mean()))
        self.topics.append(k)
        self.ids = np.full(self.count, -2, np.int32)
        self.ids[places] = said
        self.recent = given[:-1].tolist()

    def _numbers(self, places: Places, labels: Labels, fresh: Vectors, k: int) -> list[int]:
        old = list(range(len(self.centres))) if self.by_members else self.recent
        matched = self._match(places, labels, fresh, old) if old and k else [None] * k
        numbers = []
        for cluster, place in enumerate(matched):
            if place is None:
                self.centres.append(fresh[cluster])
                numbers.append(len(self.centres) - 1)
            else:
                self.centres[old[place]] = fresh[cluster]
                numbers.append(old[place])
        return numbers

    def _match(self, places: Places, labels: Labels, fresh: Vectors, old: Sequence[int]) -> list[int | None]:
        from scipy.optimize import linear_sum_assignment

        cosines = (np.stack([self.centres[number] for number in old]) @ fresh.T).astype(np.float64)
        if not self.by_members:
            found: list[int | None] = [None] * len(fresh)
            for row, column in zip(*linear_sum_assignment(cosines, maximize=True), strict=True):
                found[int(column)] = int(row)
            return found
        before = self.ids[places]
        shared = np.zeros((len(old), len(fresh)))
        inside = (before >= 0) & (labels >= 0)
        np.add.at(shared, (before[inside], labels[inside]), 1)
        sizes = np.bincount(before[before >= 0], minlength=len(old)).astype(np.float64)
        return match(shared, sizes, shared.sum(axis=0), cosines).topic_of

    def told(self) -> None:
        """One line."""
        print(
            f"{self.name:44} same {np.mean(self.same):.3f} (least {min(self.same):.3f}), of all posts "
            f"{np.mean(self.same_of_all):.3f}, outliers {np.mean(self.outliers):.3f}, topics {self.topics}, "
            f"{self.seconds:.0f} s",
            flush=True,
        )


def windows(times: Sequence[datetime], days: int) -> list[Places]:
    """Places of the posts of each window of so many days, which moves on by one day."""
    first = min(times).replace(hour=0, minute=0, second=0, microsecond=0)
    count = (max(times) - first).days + 2 - days
    starts = [first + timedelta(days=n) for n in range(max(count, 1))]
    return [
        np.array([n for n, at in enumerate(times) if start <= at < start + timedelta(days=days)]) for start in starts
    ]


def ours(rows: Vectors, texts: Sequence[str]) -> Labels:
    """The topics of a discovery with the defaults."""
    with tempfile.TemporaryDirectory() as folder:
        least = min(200, max(5, round(len(texts) * 0.01)))
        return discover(job_of(Path(folder), rows, texts, 42, least), DensityClusterer()).labels


def timed(
    found: Callable[[Vectors, Sequence[str]], Labels], rows: Vectors, texts: Sequence[str]
) -> tuple[Labels, float]:
    """What it found, and its seconds."""
    started = time.perf_counter()
    return found(rows, texts), time.perf_counter() - started


def main() -> None:
    """All windows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--days", type=int, default=3, help="of a window")
    parser.add_argument("--windows", type=int, default=100, help="how many at most")
    options = parser.parse_args()
    if options.days < 2 or options.windows < 2:
        parser.error("windows of two days or more, and two of them or more: else they have no posts in common")
    data.needed(FILE)
    posts = data.rows(FILE)
    texts = [post["text"] for post in posts]
    times = [datetime.fromisoformat(post["created_at"]) for post in posts]
    rows = vectors.of_texts(texts)
    mine = Replay("ours", True, len(posts))
    plain = Replay("BERTopic, matched by centroid", False, len(posts))
    helped = Replay("BERTopic, matched as ours", True, len(posts))
    for number, places in enumerate(windows(times, options.days)[: options.windows]):
        some, said = rows[places], [texts[place] for place in places]
        labels, seconds = timed(ours, some, said)
        mine.seconds += seconds
        mine.take(places, labels, some)
        labels, seconds = timed(lambda rows, texts: bertopic(rows, texts)[0], some, said)
        plain.seconds += seconds
        helped.seconds += seconds
        plain.take(places, labels, some)
        helped.take(places, labels, some)
        print(f"window {number + 1}: {len(places)} posts, {mine.topics[-1]} and {plain.topics[-1]} topics", flush=True)
    for replay in (mine, plain, helped):
        replay.told()


if __name__ == "__main__":
    main()
