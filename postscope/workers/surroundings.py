"""What lies around recent posts in the space, and whether it is a burst.

A batch is asked about together: few statements and few calls of the store, whatever its size. Most posts are in no
burst, and a few of the older posts around them show that; only the others are looked at in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import numpy as np
from sqlalchemy import ARRAY, DateTime, cast, func, select
from sqlalchemy.orm import Session

from postscope.backend.runtime import Runtime
from postscope.backend.tables import Post
from postscope.indexing.early_warning import (
    HISTORY_HOURS,
    MOST_NEIGHBOURS,
    RECENT_HOURS,
    STREAM_SHARE,
    WINDOWS,
    Around,
    Group,
    assess,
    distinct,
    marks_of,
    needed_score,
    without,
)
from postscope.indexing.stores.base import DenseQuery
from postscope.indexing.types import Filter, InRange, Match, Vector, Vectors

RECENT, HISTORY = timedelta(hours=RECENT_HOURS), timedelta(hours=HISTORY_HOURS)
SPAN = timedelta(minutes=15)
"""Posts of a batch that are asked about together lie within this."""
SPARE = 16
"""Neighbours that are asked for beyond those of one post: some are newer than it."""
FEW = 16
"""Older neighbours that are looked at first."""
ROUGHLY = 1e-6
"""By which two ways of adding up the same probability may differ, as -log10."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A post that is looked at: where it is in the space, and its time."""

    vector: Vector
    at: datetime


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A recent post near the one that is looked at."""

    id: UUID
    score: float
    at: datetime
    author: str | None


@dataclass(frozen=True, slots=True)
class Burst:
    """A group that is surprising enough. ``group`` is that of all its posts where it is only that with the copies."""

    group: Group
    members: Sequence[Neighbour]
    vectors: Vectors
    kept: int
    marks: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Row:
    """What the database says of a post; ``second`` is its time as the store has it."""

    at: datetime
    stamp: float
    second: int
    author: str | None


_Near: TypeAlias = list[tuple[Match, _Row]]
"""The recent posts near the one that is looked at, the nearest first."""


@dataclass(frozen=True, slots=True)
class _Volumes:
    """Posts of the whole stream: in each window before a post, and in the history before these."""

    windows: Mapping[float, int]
    before: int


def find_bursts(runtime: Runtime, collection: str, posts: Sequence[Looked]) -> list[Burst]:
    """The bursts around these posts, each at its own time; most have none."""
    return [burst for span in _spans(posts) for burst in _in_span(runtime, collection, span)]


def _spans(posts: Sequence[Looked]) -> Iterator[list[Looked]]:
    span: list[Looked] = []
    for post in sorted(posts, key=lambda one: one.at):
        if span and post.at - span[0].at > SPAN:
            yield span
            span = []
        span.append(post)
    if span:
        yield span


def _in_span(runtime: Runtime, collection: str, span: Sequence[Looked]) -> Iterator[Burst]:
    settings, first, last = runtime.settings.warning, span[0].at, span[-1].at
    asked = [DenseQuery(post.vector, "post") for post in span]
    wide = runtime.store.query_many(
        collection, asked, filter=_created(first - RECENT, last), limit=MOST_NEIGHBOURS + SPARE
    )
    with runtime.database.session() as session:
        known = _rows(session, {match.id for matches in wide for match in matches})
        volumes = _volumes(session, [post.at for post in span])
    near = [_nearest(runtime, collection, post, matches, known) for post, matches in zip(span, wide, strict=True)]
    held = [n for n, some in enumerate(near) if len(some) >= settings.least_posts]
    if not held:
        return
    # No more than what is history to every post of the span: with fewer older posts a group only seems rarer.
    few = runtime.store.query_many(
        collection, [asked[n] for n in held], filter=_created(last - HISTORY, first - RECENT), limit=FEW
    )
    for n, older in zip(held, few, strict=True):
        needed = needed_score(volumes[n].windows[24.0], STREAM_SHARE * settings.false_alarms_per_day)
        most = assess(_around(near[n], older, span[n].at, volumes[n]))
        if most is not None and most.score >= needed - ROUGHLY:
            burst = _in_full(runtime, collection, span[n], near[n], volumes[n], needed)
            if burst is not None:
                yield burst


def _in_full(
    runtime: Runtime, collection: str, post: Looked, near: _Near, volumes: _Volumes, needed: float
) -> Burst | None:
    least = runtime.settings.warning.least_posts
    # Only as far out as the outermost of the recent ones: what is beyond is in no ball that is tried.
    older = runtime.store.query(
        collection,
        DenseQuery(post.vector, "post"),
        filter=_created(post.at - HISTORY, post.at - RECENT),
        limit=20 * MOST_NEIGHBOURS,
        min_score=near[-1][0].score,
    )
    around = _around(near, older, post.at, volumes)
    group = assess(around)
    if group is None or group.score < needed:
        return None
    stored = {
        point.id: point.dense["post"]
        for point in runtime.store.retrieve(collection, [match.id for match, _ in near])
        if "post" in point.dense
    }
    there = np.array([match.id in stored for match, _ in near])
    found = [Neighbour(match.id, match.score, row.at, row.author) for match, row in near if match.id in stored]
    around = without(around, there)
    if not found:
        return None
    vectors = np.stack([stored[one.id] for one in found])
    kept = distinct(vectors, [one.author for one in found])
    own = assess(without(around, kept))
    if own is not None and own.score >= needed and len(own.members) >= least:
        inside = np.flatnonzero((around.scores >= own.radius) & (around.ages <= own.window))
        return _burst(own, found, vectors, inside, len(own.members), ())
    group = assess(around)
    if group is None or group.score < needed or len(group.members) < least:
        return None
    inside = np.array(group.members)
    marks = marks_of(vectors[inside], [found[n].author for n in inside])
    # Neither copies nor few authors, but not enough without what repeats: not yet.
    return _burst(group, found, vectors, inside, int(kept[inside].sum()), marks) if marks else None


def _burst(
    group: Group, near: Sequence[Neighbour], vectors: Vectors, inside: np.ndarray, kept: int, marks: Sequence[str]
) -> Burst:
    return Burst(group, [near[n] for n in inside], vectors[inside], kept, marks)


def _around(near: _Near, older: Sequence[Match], at: datetime, volumes: _Volumes) -> Around:
    ages = (at.timestamp() - np.array([row.stamp for _, row in near])) / 3_600
    return Around(
        np.array([match.score for match, _ in near]),
        np.maximum(ages, 0.0),
        np.array([match.score for match in older]),
        volumes.windows,
        volumes.before,
    )


def _nearest(
    runtime: Runtime, collection: str, post: Looked, wide: Sequence[Match], known: Mapping[UUID, _Row]
) -> _Near:
    """Of the posts that were there when this one came, the nearest."""
    since, to = int((post.at - RECENT).timestamp()), int(post.at.timestamp())
    found = [(match, row) for match in wide if (row := known.get(match.id)) and since < row.second <= to]
    if len(found) < MOST_NEIGHBOURS and len(wide) == MOST_NEIGHBOURS + SPARE:
        # Too many that came later stand in the way: it is asked about alone.
        matches = runtime.store.query(
            collection,
            DenseQuery(post.vector, "post"),
            filter=_created(post.at - RECENT, post.at),
            limit=MOST_NEIGHBOURS,
        )
        with runtime.database.session() as session:
            known = _rows(session, {match.id for match in matches})
        found = [(match, row) for match in matches if (row := known.get(match.id))]
    return [(match, row) for match, row in found[:MOST_NEIGHBOURS] if row.at <= post.at]


def _rows(session: Session, ids: set[UUID]) -> dict[UUID, _Row]:
    rows = session.execute(select(Post.id, Post.created_at, Post.author_hash).where(Post.id.in_(ids)))
    return {post_id: _Row(at, stamp := at.timestamp(), int(stamp), author) for post_id, at, author in rows}


def _volumes(session: Session, times: Sequence[datetime]) -> list[_Volumes]:
    """For each time (rising), in one pass over the history of all."""
    hours = (HISTORY_HOURS, *reversed(WINDOWS), 0.0)
    # What is after an edge begins a microsecond later, which is as fine as times are.
    edges = [[at - timedelta(hours=back) + timedelta(microseconds=1) for back in hours] for at in times]
    rising = sorted({edge for some in edges for edge in some})
    bucket = func.width_bucket(Post.created_at, cast(rising, ARRAY(DateTime(timezone=True)))).label("bucket")
    inside = (Post.created_at >= rising[0], Post.created_at < rising[-1])
    counted = {row.bucket: row.posts for row in session.execute(
        select(bucket, func.count().label("posts")).where(*inside).group_by("bucket")
    )}  # fmt: skip
    # Posts before each edge.
    totals = np.cumsum([0, *(counted.get(n, 0) for n in range(1, len(rising)))])
    before = {edge: int(totals[n]) for n, edge in enumerate(rising)}
    return [
        _Volumes(
            {back: max(before[some[-1]] - before[edge], 1) for back, edge in zip(hours[1:-1], some[1:-1], strict=True)},
            before[some[1]] - before[some[0]],
        )
        for some in edges
    ]


def _created(since: datetime, to: datetime) -> Filter:
    return Filter(must=(InRange("created", gt=float(int(since.timestamp())), lte=float(int(to.timestamp()))),))
