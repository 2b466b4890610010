"""Timelines as the API shows them, and as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from postscope.backend.trends.exports import Row
from postscope.backend.trends.requests import TimelineQuery
from postscope.backend.trends.timelines import MIXES, Comparison, Figures, Timeline
from postscope.indexing.buckets import BucketSize

POSTS_URL = "/v1/posts?from=2026-03-01T00%3A00%3A00Z&to=2026-03-02T00%3A00%3A00Z"
MOODS = ("negative", "neutral", "positive")


class SentimentOut(BaseModel):
    """Shares among the posts that were scored; null where none was. They sum to 1."""

    scored: int
    negative: float | None
    neutral: float | None
    positive: float | None


class FiguresOut(BaseModel):
    """What the posts add up to; ``posts_url`` lists them. ``reach`` is views, ``engagement`` all other reactions."""

    posts: int
    authors: int
    reach: float
    engagement: float
    languages: dict[str, int]
    sources: dict[str, int]
    media: dict[str, int]
    sentiment: SentimentOut
    posts_url: str = Field(examples=[POSTS_URL])


class BucketOut(FiguresOut):
    """``from <= created_at < to``. ``partial``: the window cuts it short, or it is not over yet."""

    since: datetime = Field(serialization_alias="from")
    to: datetime
    partial: bool


class ComparedOut(BaseModel):
    """The same buckets in another period. ``change`` is how many times as many posts there are now; null from none."""

    since: datetime = Field(serialization_alias="from")
    to: datetime
    total: FiguresOut
    posts: list[int]
    authors: list[int]
    reach: list[float]
    engagement: list[float]
    change: float | None


class TimelineOut(BaseModel):
    """Buckets without gaps over a window. ``topic_id`` is that of the topic that the one asked for was merged into."""

    since: datetime = Field(serialization_alias="from")
    to: datetime
    bucket: BucketSize
    tz: str = Field(examples=["Europe/Berlin"])
    topic_id: UUID | None = None
    total: FiguresOut
    buckets: list[BucketOut]
    comparison: ComparedOut | None


def timeline_out(timeline: Timeline, asked: TimelineQuery, *, now: datetime) -> TimelineOut:
    """As the API shows it."""
    edges = timeline.buckets.edges
    rows = []
    for n, figures in enumerate(timeline.figures):
        since, to = edges[n], edges[n + 1]
        cut_short = timeline.buckets.cut[n] or since <= now < to
        rows.append(BucketOut(**_figures(figures, asked, since, to), since=since, to=to, partial=cut_short))
    return TimelineOut(
        since=edges[0],
        to=edges[-1],
        bucket=timeline.size,
        tz=asked.tz,
        topic_id=asked.topic_id,
        total=figures_out(timeline.total, asked, edges[0], edges[-1]),
        buckets=rows,
        comparison=_compared(timeline.comparison, timeline.total, asked) if timeline.comparison else None,
    )


def timeline_rows(out: TimelineOut) -> list[Row]:
    """A row a bucket; every value of a mix is a column of its own."""
    rows: list[Row] = []
    names = {"language": "languages", "source": "sources", "media": "media"}
    values = {name: sorted(getattr(out.total, field)) for name, field in names.items()}
    for n, bucket in enumerate(out.buckets):
        before = out.comparison.posts[n] if out.comparison else None
        mixes = {
            f"{name}.{value}": getattr(bucket, field).get(value, 0)
            for name, field in names.items()
            for value in values[name]
        }
        rows.append(
            {
                "from": bucket.since,
                "to": bucket.to,
                "partial": bucket.partial,
                "posts": bucket.posts,
                "posts_compared": before,
                "authors": bucket.authors,
                "reach": bucket.reach,
                "engagement": bucket.engagement,
                "scored": bucket.sentiment.scored,
                **{mood: getattr(bucket.sentiment, mood) for mood in MOODS},
                **mixes,
                "posts_url": bucket.posts_url,
            }
        )
    return rows


def sentiment_out(mix: dict[str, int]) -> SentimentOut:
    """Shares of the moods among the posts that have one."""
    scored = sum(mix.get(mood, 0) for mood in MOODS)
    shares = {mood: round(mix.get(mood, 0) / scored, 4) if scored else None for mood in MOODS}
    return SentimentOut(scored=scored, **shares)


def figures_out(figures: Figures, asked: TimelineQuery, since: datetime, to: datetime) -> FiguresOut:
    """Figures with the link to their posts."""
    return FiguresOut(**_figures(figures, asked, since, to))


def _figures(figures: Figures, asked: TimelineQuery, since: datetime, to: datetime) -> dict[str, Any]:
    mixes = {name: figures.mixes[name] for name in MIXES}
    return {
        "posts": figures.posts,
        "authors": figures.authors,
        "reach": figures.reach,
        "engagement": figures.engagement,
        "languages": mixes["language"],
        "sources": mixes["source"],
        "media": mixes["media"],
        "sentiment": sentiment_out(mixes["sentiment"]),
        "posts_url": asked.url(since=since, to=to),
    }


def _compared(other: Comparison, total: Figures, asked: TimelineQuery) -> ComparedOut:
    since, to = other.edges[0], other.edges[-1]

    def each(name: str) -> Sequence[Any]:
        return [getattr(figures, name) for figures in other.figures]

    return ComparedOut(
        since=since,
        to=to,
        total=figures_out(other.total, asked, since, to),
        posts=list(each("posts")),
        authors=list(each("authors")),
        reach=list(each("reach")),
        engagement=list(each("engagement")),
        change=round(total.posts / other.total.posts, 4) if other.total.posts else None,
    )
