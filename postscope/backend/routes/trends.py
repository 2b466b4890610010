"""What emerges, grows and fades, and several topics, tags or labels side by side."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from postscope.backend.auth import Role, require
from postscope.backend.routes.exports import TABLES, answered
from postscope.backend.routes.state import runtime_of
from postscope.backend.trends.answers import POSTS_URL, FiguresOut, figures_out
from postscope.backend.trends.comparing import Compared, CompareQuery, compare
from postscope.backend.trends.exports import Row
from postscope.backend.trends.ranking import SURE, By, Rank, Ranking, Trend, TrendsQuery, rank_trends
from postscope.indexing.buckets import BucketSize

router = APIRouter(prefix="/v1/trends", tags=["trends"], dependencies=[Depends(require(Role.ANALYST, Role.PRODUCT))])


class TrendOut(BaseModel):
    """One topic, tag or label with the evidence: what its history lets expect, and what came."""

    topic_id: UUID | None
    name: str = Field(examples=["Power cut in Port Lorne"])
    observed: int
    expected: float | None = Field(description="null, as is what follows from it, without enough history")
    expected_low: int | None = Field(description="the least of 95 of 100 cases")
    expected_high: int | None
    ratio: float | None = Field(description="observed / expected")
    probability: float = Field(description="of as many or more (of as few or fewer, where it fades) by chance")
    q: float = Field(description="the same, corrected for all that were tested (Benjamini-Hochberg)")
    significant: bool
    history_posts: int
    first_at: datetime
    last_at: datetime
    posts_url: str = Field(examples=[POSTS_URL])


class TrendsOut(BaseModel):
    """The most surprising first. Without ``enough_history`` nothing is significant, and the largest come first."""

    since: datetime = Field(serialization_alias="from")
    to: datetime
    history_from: datetime
    by: By
    rank: Rank
    enough_history: bool
    tested: int
    trends: list[TrendOut]


class SeriesOut(BaseModel):
    """One of those compared. ``share`` is of the posts of all of them, ``peak_at`` the bucket with most posts."""

    topic_id: UUID | None
    name: str = Field(examples=["Power cut in Port Lorne"])
    total: FiguresOut
    share: float | None
    peak_at: datetime | None
    posts: list[int]
    authors: list[int]
    reach: list[float]
    engagement: list[float]
    posts_urls: list[str] = Field(examples=[[POSTS_URL]])


class ComparedOut(BaseModel):
    """Series in the same buckets. ``correlations`` has a row and a column for each, in their order."""

    bucket: BucketSize
    tz: str = Field(examples=["Europe/Berlin"])
    edges: list[datetime]
    series: list[SeriesOut]
    correlations: list[list[float | None]]


@router.get("", summary="Rank what emerges, grows or fades", response_model=TrendsOut, responses=TABLES)
def read_trends(request: Request, asked: Annotated[TrendsQuery, Query()]) -> Any:
    """Topics, tags or labels of any filter and window, each tested against its own history."""
    runtime = runtime_of(request)
    ranking = rank_trends(runtime.database, asked, author_key=runtime.author_key, now=runtime.clock())
    out = trends_out(ranking, asked)
    return answered(request, asked.format, out, lambda: _trend_rows(out), "trends")


@router.get("/compare", summary="Compare topics, tags or labels", response_model=ComparedOut, responses=TABLES)
def read_comparison(request: Request, asked: Annotated[CompareQuery, Query()]) -> Any:
    """Two to ten of them in the same buckets, with their shares and how alike they run."""
    runtime = runtime_of(request)
    found = compare(runtime.database, asked, author_key=runtime.author_key, now=runtime.clock())
    out = _compared(found, asked)
    return answered(request, asked.format, out, lambda: _rows(out), "comparison")


def trends_out(ranking: Ranking, asked: TrendsQuery) -> TrendsOut:
    """As the API shows it."""
    return TrendsOut(
        since=ranking.since,
        to=ranking.to,
        history_from=ranking.history_since,
        by=asked.by,
        rank=asked.rank,
        enough_history=ranking.enough_history,
        tested=ranking.tested,
        trends=[_trend(trend, ranking, asked) for trend in ranking.trends],
    )


def _trend(trend: Trend, ranking: Ranking, asked: TrendsQuery) -> TrendOut:
    low, high = trend.prediction.interval()
    own: dict[str, Any] = {"topic_id": trend.key} if asked.by == "topic" else {asked.by: [trend.key]}
    return TrendOut(
        topic_id=UUID(trend.key) if asked.by == "topic" else None,
        name=trend.name,
        observed=trend.observed,
        expected=round(trend.prediction.mean, 3) if ranking.enough_history else None,
        expected_low=low if ranking.enough_history else None,
        expected_high=high if ranking.enough_history else None,
        ratio=round(trend.ratio, 3) if ranking.enough_history else None,
        probability=trend.probability,
        q=trend.q,
        significant=ranking.enough_history and trend.q <= SURE,
        history_posts=trend.history_posts,
        first_at=trend.first_at,
        last_at=trend.last_at,
        posts_url=asked.url(**own, since=ranking.since, to=ranking.to),
    )


def _trend_rows(out: TrendsOut) -> list[Row]:
    return [one.model_dump() | {"topic_id": None if one.topic_id is None else str(one.topic_id)} for one in out.trends]


def _compared(found: Compared, asked: CompareQuery) -> ComparedOut:
    edges = found.buckets.edges
    series = []
    for one in found.series:
        figures = list(one.figures)
        urls = [one.asked.url(since=a, to=b) for a, b in pairwise(edges)]
        series.append(
            SeriesOut(
                topic_id=one.asked.topic_id,
                name=one.name,
                total=figures_out(one.total, one.asked, edges[0], edges[-1]),
                share=None if one.share is None else round(one.share, 4),
                peak_at=None if one.peak is None else edges[one.peak],
                posts=[f.posts for f in figures],
                authors=[f.authors for f in figures],
                reach=[f.reach for f in figures],
                engagement=[f.engagement for f in figures],
                posts_urls=urls,
            )
        )
    correlations = [list(row) for row in found.correlations]
    return ComparedOut(bucket=found.size, tz=asked.tz, edges=list(edges), series=series, correlations=correlations)


def _rows(out: ComparedOut) -> list[Row]:
    return [
        {
            "series": one.name,
            "topic_id": None if one.topic_id is None else str(one.topic_id),
            "from": out.edges[n],
            "to": out.edges[n + 1],
            "posts": one.posts[n],
            "authors": one.authors[n],
            "reach": one.reach[n],
            "engagement": one.engagement[n],
            "posts_url": one.posts_urls[n],
        }
        for one in out.series
        for n in range(len(one.posts))
    ]
