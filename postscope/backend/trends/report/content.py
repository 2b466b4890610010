"""What a report says, read from the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, get_args
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from postscope.backend.runtime import Runtime
from postscope.backend.tables import Alert, Post, Topic, TopicMember
from postscope.backend.topics import map as topic_map
from postscope.backend.trends.ranking import Rank, Ranking, Trend, TrendsQuery, rank_trends
from postscope.backend.trends.report.pictures import Picture, pictures_of
from postscope.backend.trends.requests import PostFilter, TimelineQuery, Zone
from postscope.backend.trends.selection import conditions, within
from postscope.backend.trends.timelines import Timeline, one_snapshot, read_timeline

RANKS: tuple[Rank, ...] = get_args(Rank)
MAP_POINTS = 5_000
"""Dots of the map: enough to show its shape, few enough for a page that prints."""
POSTS_SHOWN, PICTURES_SHOWN, ALERTS_SHOWN = 3, 4, 20


class ReportQuery(PostFilter):
    """Which posts the report is about."""

    tz: Zone = Field("UTC", description="IANA time zone of its calendar and rhythm", examples=["Europe/Berlin"])
    limit: Annotated[int, Field(ge=1, le=30)] = Field(6, description="topics shown of each list")

    def posts(self) -> dict[str, Any]:
        """The filter alone, for another question about the same posts."""
        return {name: getattr(self, name) for name in PostFilter.model_fields}


@dataclass(frozen=True, slots=True)
class ShownPost:
    """A post that stands for a topic."""

    id: UUID
    text: str
    source: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TopicStory:
    """A topic with what shows it: its timeline in the window, its words, posts and pictures."""

    trend: Trend
    rank: Rank
    asked: TimelineQuery
    timeline: Timeline
    keywords: Sequence[str]
    posts: Sequence[ShownPost]
    pictures: Sequence[Picture]


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert with the name of its topic."""

    alert: Alert
    name: str


@dataclass(frozen=True, slots=True)
class Members:
    """Posts of the window: those that a topic was looked for, and those of them that are in none."""

    posts: int
    outliers: int


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page tells. ``more_alerts`` were raised beside those that are shown."""

    asked: ReportQuery
    made_at: datetime
    timeline: Timeline
    rankings: dict[Rank, Ranking]
    stories: Sequence[TopicStory]
    alerts: Sequence[ShownAlert]
    more_alerts: int
    map: topic_map.DrawnMap
    members: Members


def read_report(runtime: Runtime, asked: ReportQuery) -> Report:
    """The report that is asked for.

    Raises:
        Invalid: the window is reversed, or the filter names what cannot be.
        NotFound: there is no such topic.
    """
    database, key, now = runtime.database, runtime.author_key, runtime.clock()
    since, to = asked.window(now)
    asked = asked.model_copy(update={"since": since, "to": to})
    whole = TimelineQuery(**asked.posts(), tz=asked.tz)
    timeline = read_timeline(database, whole, author_key=key, now=now)
    rankings = {
        rank: rank_trends(
            database,
            TrendsQuery(**asked.posts(), tz=asked.tz, rank=rank, limit=asked.limit),
            author_key=key,
            now=now,
        )
        for rank in RANKS
    }
    stories = [
        _story(runtime, asked, trend, rank, rankings[rank].history_since)
        for rank in RANKS
        for trend in rankings[rank].trends
    ]
    with database.session() as session:
        one_snapshot(session)
        alerts, more = _alerts(session, since, to)
        drawn = topic_map.draw(session, since=since, to=to, limit=MAP_POINTS)
        members = _members(session, asked, key, since, to)
    return Report(asked, now, timeline, rankings, stories, alerts, more, drawn, members)


def _story(runtime: Runtime, asked: ReportQuery, trend: Trend, rank: Rank, history_since: datetime) -> TopicStory:
    topic_id = UUID(trend.key)
    query = TimelineQuery(**{**asked.posts(), "topic_id": topic_id}, tz=asked.tz)
    timeline = read_timeline(runtime.database, query, author_key=runtime.author_key, now=runtime.clock())
    with runtime.database.session() as session:
        topic = session.get(Topic, topic_id)
        since, to = query.window(runtime.clock())
        if not timeline.total.posts:  # it has faded: what it was
            since = history_since
        where = [*conditions(session, query, runtime.author_key), within(since, to)]
        posts = _posts(session, where, topic)
        words = [str(word["word"]) for word in topic.keywords[:6]] if topic else []
        pictures = pictures_of(
            session,
            runtime.blobs,
            where,
            first=[post.id for post in posts],
            most=PICTURES_SHOWN,
            stills=runtime.asked_stills,
        )
    return TopicStory(trend, rank, query, timeline, words, posts, pictures)


def _posts(session: Session, where: Sequence[ColumnElement[bool]], topic: Topic | None) -> list[ShownPost]:
    """Those that the discovery chose to stand for it, as far as the filter has them, then the firmest."""
    chosen = [UUID(one) for one in topic.summary.get("post_ids", [])] if topic else []
    rows = session.execute(
        select(Post.id, Post.text, Post.source, Post.created_at)
        .outerjoin(TopicMember, TopicMember.post_id == Post.id)
        .where(*where)
        .order_by(Post.id.in_(chosen).desc(), TopicMember.strength.desc().nulls_last(), Post.id)
        .limit(POSTS_SHOWN * 4)
    )
    found: dict[str, ShownPost] = {}
    for row in rows:  # the same words once
        found.setdefault(" ".join(row.text.split()).casefold(), ShownPost(row.id, row.text, row.source, row.created_at))
    # One without words tells nothing beside its picture, which is shown anyway.
    worded = [post for words, post in found.items() if words]
    return (worded or list(found.values()))[:POSTS_SHOWN]


def _alerts(session: Session, since: datetime, to: datetime) -> tuple[list[ShownAlert], int]:
    """The likeliest of the bursts that touch the window; what people dismissed is none."""
    touching = (Alert.since < to, Alert.until >= since, Alert.state != "dismissed")
    total = session.scalar(select(func.count()).select_from(Alert).where(*touching)) or 0
    rows = session.execute(
        select(Alert, Topic.name)
        .outerjoin(Topic, Topic.id == Alert.topic_id)
        .where(*touching)
        .order_by(Alert.probability, Alert.raised_at, Alert.id)
        .limit(ALERTS_SHOWN)
    )
    shown = [ShownAlert(alert, name or "") for alert, name in rows]
    return shown, total - len(shown)


def _members(session: Session, asked: ReportQuery, key: bytes, since: datetime, to: datetime) -> Members:
    row = session.execute(
        select(func.count(), func.count().filter(TopicMember.topic_id.is_(None)))
        .select_from(TopicMember)
        .join(Post, Post.id == TopicMember.post_id)
        .where(*conditions(session, asked, key), within(since, to))
    ).one()
    return Members(row[0], row[1])
