"""Posts over time, in buckets without gaps, beside another period. All of one answer is read from one snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, DateTime, Float, Select, case, cast, exists, func, literal, select
from sqlalchemy.orm import Session

from postscope.backend.database import Database
from postscope.backend.tables import Media, Post, PostSentiment, spoken_language
from postscope.backend.trends.requests import Compare, TimelineQuery
from postscope.backend.trends.selection import conditions, sounds, within
from postscope.indexing.buckets import Buckets, BucketSize

MIXES = ("language", "source", "media", "sentiment")
UNKNOWN = "unknown"
"""Stands in a mix for a post that does not say."""

_WHOLE = -1


@dataclass(slots=True)
class Figures:
    """What some posts add up to.

    ``reach`` is the sum of their views, ``engagement`` that of likes, comments and shares, as last reported.
    """

    posts: int = 0
    authors: int = 0
    reach: float = 0.0
    engagement: float = 0.0
    mixes: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in MIXES})


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same buckets at another time; ``edges`` are those of that time."""

    edges: tuple[datetime, ...]
    figures: tuple[Figures, ...]
    total: Figures


@dataclass(frozen=True, slots=True)
class Timeline:
    """Figures of every bucket and of the whole window, in which an author counts once."""

    buckets: Buckets
    size: BucketSize
    figures: tuple[Figures, ...]
    total: Figures
    comparison: Comparison | None


def read_timeline(database: Database, asked: TimelineQuery, *, author_key: bytes, now: datetime) -> Timeline:
    """The timeline that is asked for.

    Raises:
        Invalid: the window is reversed or would be cut into too many buckets.
        NotFound: there is no such topic.
    """
    buckets, size = asked.buckets(now)
    with database.session() as session:
        one_snapshot(session)
        chosen = conditions(session, asked, author_key)
        figures, total = count(session, chosen, buckets.edges)
        edges = _compared(buckets, asked.compare, asked)
        comparison = Comparison(edges, *count(session, chosen, edges)) if edges else None
    return Timeline(buckets, size, figures, total, comparison)


def one_snapshot(session: Session) -> None:
    """All that this session reads from now on is of one moment, whatever is written meanwhile."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def count(
    session: Session, chosen: Sequence[ColumnElement[bool]], edges: Sequence[datetime]
) -> tuple[tuple[Figures, ...], Figures]:
    """Figures of each bucket between ``edges`` (n + 1, rising), and of all together."""
    found: dict[int, Figures] = defaultdict(Figures)
    bucket = func.width_bucket(Post.created_at, cast(list(edges), ARRAY(DateTime(timezone=True)))) - 1
    where = [*chosen, within(edges[0], edges[-1])]
    inner = select(
        bucket.label("bucket"),
        Post.author_hash,
        _metric("views").label("reach"),
        (_metric("likes") + _metric("comments") + _metric("shares")).label("engagement"),
    ).where(*where)
    rows = inner.subquery()
    sums: Select[Any] = select(
        func.coalesce(rows.c.bucket, _WHOLE).label("bucket"),
        func.count().label("posts"),
        func.count(rows.c.author_hash.distinct()).label("authors"),
        func.coalesce(func.sum(rows.c.reach), 0.0).label("reach"),
        func.coalesce(func.sum(rows.c.engagement), 0.0).label("engagement"),
    ).group_by(func.rollup(rows.c.bucket))
    for row in session.execute(sums):
        found[row.bucket] = Figures(row.posts, row.authors, row.reach, row.engagement)
    for name, value in _mixes().items():
        mixed = select(bucket.label("bucket"), value.label("value"), func.count().label("posts")).where(*where)
        for row in session.execute(mixed.group_by("bucket", "value").order_by("bucket", "value")):
            for place in (row.bucket, _WHOLE):
                mix = found[place].mixes[name]
                mix[row.value] = mix.get(row.value, 0) + row.posts
    return tuple(found[n] for n in range(len(edges) - 1)), found[_WHOLE]


def _compared(buckets: Buckets, compare: Compare, asked: TimelineQuery) -> tuple[datetime, ...] | None:
    if compare == "none":
        return None
    # In days of the calendar where the window is one of whole days or more, so that noon is compared with noon.
    length = buckets.edges[-1] - buckets.edges[0]
    shifts: Mapping[str, timedelta] = {"week": timedelta(weeks=1), "year": timedelta(weeks=52)}
    if compare != "previous":
        return buckets.shifted(shifts[compare], asked.zone)
    walls = [edge.astimezone(asked.zone).replace(tzinfo=None) for edge in (buckets.edges[0], buckets.edges[-1])]
    whole_days = timedelta(days=round((walls[1] - walls[0]) / timedelta(days=1)))
    if walls[1] - walls[0] == whole_days:
        return buckets.shifted(whole_days, asked.zone)
    return tuple(edge - length for edge in buckets.edges)


def _metric(name: str) -> ColumnElement[float]:
    return func.coalesce(cast(Post.metrics[name].astext, Float), 0.0)


def _mixes() -> dict[str, ColumnElement[str]]:
    def has(kind: str) -> ColumnElement[bool]:
        return exists(select(literal(1)).where(Media.post_id == Post.id, Media.mime.startswith(f"{kind}/")))

    any_media = exists(select(literal(1)).where(Media.post_id == Post.id))
    scored = PostSentiment.post_id == Post.id
    mood = (
        select(
            case(
                (sounds("negative"), literal("negative")),
                (sounds("positive"), literal("positive")),
                else_=literal("neutral"),
            )
        )
        .where(scored)
        .scalar_subquery()
    )
    return {
        "language": func.coalesce(spoken_language(), literal(UNKNOWN)),
        "source": func.coalesce(Post.source, literal(UNKNOWN)),
        "media": case(
            (has("video"), literal("video")),
            (has("audio"), literal("audio")),
            (has("image"), literal("image")),
            (any_media, literal(UNKNOWN)),
            else_=literal("none"),
        ),
        "sentiment": func.coalesce(mood, literal(UNKNOWN)),
    }
