"""What emerges, grows and fades in a window, with the evidence for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Select, and_, cast, func, select, true
from sqlalchemy.orm import Session
from sqlalchemy.types import BigInteger, Text

from postscope.backend.database import Database
from postscope.backend.parameters import Counted
from postscope.backend.tables import (
    Post,
    PostTag,
    Taxonomy,
    TaxonomyLabel,
    TaxonomyVersion,
    Topic,
    TopicMember,
)
from postscope.backend.trends.requests import Format, PostFilter, Zone
from postscope.backend.trends.selection import conditions, tags_of_posts, within
from postscope.backend.trends.timelines import one_snapshot
from postscope.indexing.bursts import Prediction, benjamini_hochberg
from postscope.indexing.growth import HOUR, NEW_POSTS, Frame

By = Literal["topic", "tag", "label"]
Rank = Literal["emerging", "growing", "fading"]

LEAST_HISTORY, MOST_HISTORY = timedelta(days=28), timedelta(days=182)
"""How far back it is looked: four windows, within these."""
SURE = 0.05
"""Share of false ones among those that are called significant."""
MOST_SERIES = 5_000


class TrendsQuery(PostFilter):
    """Which posts, and what of them is to be ranked."""

    by: By = Field(
        "topic", description="what is ranked: topics, tags as they were given with the posts, or labels of taxonomies"
    )
    rank: Rank = Field("emerging", description="new in the window; more than before; less than before")
    tz: Zone = Field("UTC", description="IANA time zone of the daily and weekly rhythm")
    limit: Annotated[int, Field(ge=1, le=200)] = 20
    min_posts: Counted = Field(3, description="what has fewer, now and as expected, is left out")
    format: Format | None = Field(None, description="json, csv or parquet; by default what Accept asks for")


@dataclass(frozen=True, slots=True)
class Trend:
    """``key`` is the topic's id, the tag or the label; ``q`` the probability, corrected for all that were tested."""

    key: str
    name: str
    observed: int
    prediction: Prediction
    probability: float
    q: float
    history_posts: int
    first_at: datetime
    last_at: datetime

    @property
    def ratio(self) -> float:
        """How many times as many posts as expected."""
        return self.observed / self.prediction.mean


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best first. Without ``enough_history`` all probabilities are 1, and the largest comes first.

    ``history_since`` is the hour of the first post of the history, or how far back it was looked where there is none.
    """

    since: datetime
    to: datetime
    history_since: datetime
    enough_history: bool
    tested: int
    trends: Sequence[Trend]


@dataclass(frozen=True, slots=True)
class Hourly:
    """Posts by the hour, counted from ``since``; hours of the history have negative numbers."""

    stream: dict[int, int]
    series: dict[str, dict[int, int]]
    first: dict[str, datetime]
    last: dict[str, datetime]


def rank_trends(database: Database, asked: TrendsQuery, *, author_key: bytes, now: datetime) -> Ranking:
    """What is asked for.

    Raises:
        Invalid: the window is reversed.
        NotFound: there is no such topic.
    """
    since, to = asked.window(now)
    history_since = since - min(max(4 * (to - since), LEAST_HISTORY), MOST_HISTORY)
    with database.session() as session:
        one_snapshot(session)
        where = [*conditions(session, asked, author_key), within(history_since, to)]
        hourly = count_hours(session, where, asked.by, since)
        names = _names(session, list(hourly.series)) if asked.by == "topic" else {}
        if asked.by == "label":
            hourly = _as_people_say(session, hourly)
    known = {key: hours for key, hours in hourly.series.items() if asked.by != "topic" or key in names}
    frame = Frame.of(hourly.stream, history_since, since, to, asked.tz)
    busy = frame.busy(hourly.stream, hourly.series)
    trends = []
    for key, hours in known.items():
        observed = sum(posts for hour, posts in hours.items() if hour >= 0)
        history = sum(hours.values()) - observed
        prediction = frame.predict(hours, busy)
        if max(observed, prediction.mean) < asked.min_posts or not _belongs(asked.rank, observed, history, prediction):
            continue
        probability = 1.0
        if frame.enough:
            tail = prediction.at_most if asked.rank == "fading" else prediction.at_least
            probability = tail(observed)
        trends.append(
            Trend(
                key,
                names.get(key, key),
                observed,
                prediction,
                probability,
                1.0,
                history,
                hourly.first[key],
                hourly.last[key],
            )
        )
    if len(frame.stream):
        history_since = max(history_since, since - len(frame.stream) * HOUR)
    return Ranking(since, to, history_since, frame.enough, len(trends), _best(trends, asked))


def count_hours(session: Session, where: Sequence[ColumnElement[bool]], by: By, since: datetime) -> Hourly:
    """Posts of the stream and of each series, by the hour."""
    hour = cast(func.floor(func.extract("epoch", Post.created_at - since) / 3600), BigInteger).label("hour")
    stream = {row.hour: row.posts for row in session.execute(_counted(hour).where(*where).group_by("hour"))}
    series: dict[str, dict[int, int]] = defaultdict(dict)
    first: dict[str, datetime] = {}
    last: dict[str, datetime] = {}
    rows = _counted(hour).where(*where)
    if by == "topic":
        key: ColumnElement[Any] = cast(TopicMember.topic_id, Text)
        rows = rows.join(TopicMember, and_(TopicMember.post_id == Post.id, TopicMember.topic_id.is_not(None)))
    elif by == "label":
        key = cast(PostTag.label_id, Text)
        live = and_(TaxonomyVersion.id == PostTag.version_id, TaxonomyVersion.state == "live")
        rows = rows.join(PostTag, PostTag.post_id == Post.id).join(TaxonomyVersion, live)
    else:
        given = tags_of_posts()
        key = given.c.tag
        rows = rows.join(given, true())
    spans = (func.min(Post.created_at).label("first"), func.max(Post.created_at).label("last"))
    for row in session.execute(rows.add_columns(key.label("key"), *spans).group_by("key", "hour")):
        series[row.key][row.hour] = row.posts
        first[row.key] = min(first.get(row.key, row.first), row.first)
        last[row.key] = max(last.get(row.key, row.last), row.last)
    if len(series) > MOST_SERIES:  # of very many tags, the largest
        kept = sorted(series, key=lambda name: (-sum(series[name].values()), name))[:MOST_SERIES]
        series = defaultdict(dict, {name: series[name] for name in kept})
    return Hourly(stream, series, first, last)


def _as_people_say(session: Session, hourly: Hourly) -> Hourly:
    """Series of labels under ``taxonomy/label`` in place of the ids of their rows."""
    rows = session.execute(
        select(TaxonomyLabel.id, Taxonomy.name, TaxonomyLabel.path)
        .join(TaxonomyVersion, TaxonomyVersion.id == TaxonomyLabel.version_id)
        .join(Taxonomy, Taxonomy.id == TaxonomyVersion.taxonomy_id)
        .where(TaxonomyLabel.id.in_([int(key) for key in hourly.series]))
    )
    said = {str(row.id): f"{row.name}/{row.path}" for row in rows}
    return Hourly(
        hourly.stream,
        {said[key]: hours for key, hours in hourly.series.items() if key in said},
        {said[key]: at for key, at in hourly.first.items() if key in said},
        {said[key]: at for key, at in hourly.last.items() if key in said},
    )


def _counted(hour: ColumnElement[int]) -> Select[Any]:
    columns: list[ColumnElement[Any]] = [hour, func.count(Post.id.distinct()).label("posts")]
    return select(*columns).select_from(Post)


def _belongs(rank: Rank, observed: int, history: int, prediction: Prediction) -> bool:
    if rank == "fading":
        return history >= NEW_POSTS and observed < prediction.mean
    return observed > prediction.mean and (history < NEW_POSTS) == (rank == "emerging")


def _best(trends: list[Trend], asked: TrendsQuery) -> list[Trend]:
    corrected = benjamini_hochberg([trend.probability for trend in trends])
    found = [
        Trend(t.key, t.name, t.observed, t.prediction, t.probability, q, t.history_posts, t.first_at, t.last_at)
        for t, q in zip(trends, corrected, strict=True)
    ]
    found.sort(key=lambda t: (t.probability, -abs(t.observed - t.prediction.mean), t.key))
    return found[: asked.limit]


def _names(session: Session, keys: Sequence[str]) -> dict[str, str]:
    """Of the topics that may be shown."""
    rows = session.execute(
        select(Topic.id, Topic.name).where(
            Topic.id.in_([UUID(key) for key in keys]), Topic.hidden.is_(False), Topic.state != "merged"
        )
    )
    return {str(row.id): row.name for row in rows}
