"""The map: where posts lie, what they are about, as numbers and as one page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Final

import orjson
from sqlalchemy import Text, cast, func, select
from sqlalchemy.orm import Session

from postscope.backend.tables import Post, Topic, TopicLayout, TopicMember

SHOWN_TEXT: Final = 160
"""Characters of a post on the page."""


@dataclass(frozen=True, slots=True)
class MapPoint:
    """One post on the map; ``topic`` is its place among the topics, -1 for an outlier."""

    id: uuid.UUID
    x: float
    y: float
    topic: int
    created_at: datetime
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class MapTopic:
    """One topic on the map, at the median of its posts that are shown."""

    id: uuid.UUID
    name: str
    x: float
    y: float
    posts: int


@dataclass(frozen=True, slots=True)
class DrawnMap:
    """The map. Of ``total`` posts that have a place, ``points`` are shown: a sample that stays the same."""

    points: list[MapPoint]
    topics: list[MapTopic]
    total: int


def draw(session: Session, *, since: datetime | None, to: datetime | None, limit: int) -> DrawnMap:
    """The map of the posts of a window. Posts of hidden and ended topics are shown as outliers."""
    conditions = []
    if since is not None:
        conditions.append(Post.created_at >= since)
    if to is not None:
        conditions.append(Post.created_at < to)
    placed = select(Post.id).join(TopicLayout, TopicLayout.post_id == Post.id).where(*conditions)
    total = session.scalar(select(func.count()).select_from(placed.subquery())) or 0
    rows = session.execute(
        select(
            Post.id, TopicLayout.x, TopicLayout.y, TopicMember.topic_id, Post.created_at, Post.source,
            func.left(Post.text, SHOWN_TEXT).label("text"),
        )
        .join(TopicLayout, TopicLayout.post_id == Post.id)
        .outerjoin(TopicMember, TopicMember.post_id == Post.id)
        .where(*conditions)
        # By a hash of the id: the same posts from call to call, spread over everything.
        .order_by(func.md5(cast(Post.id, Text)), Post.id)
        .limit(limit)
    ).all()  # fmt: skip
    topics = {
        topic.id: topic
        for topic in session.scalars(
            select(Topic).where(Topic.state.in_(("active", "candidate")), Topic.hidden.is_(False))
        )
    }
    used = sorted({row.topic_id for row in rows if row.topic_id in topics}, key=lambda one: (topics[one].name, one))
    place = {topic_id: number for number, topic_id in enumerate(used)}
    points = [
        MapPoint(row.id, row.x, row.y, place.get(row.topic_id, -1), row.created_at, row.source, row.text)
        for row in rows
    ]
    return DrawnMap(points, _topics([topics[one] for one in used], points), total)


def page(drawn: DrawnMap) -> tuple[str, str]:
    """The page, and the content security policy that it is to be served with.

    The posts are data in a block that no browser runs, with every ``<`` escaped; the script puts them on the page as
    text only, and the policy lets no other script run and nothing be loaded.
    """
    parts = {name: (resources.files("postscope.backend.topics") / "page" / name).read_text("utf-8") for name in _PARTS}
    policy = f"default-src 'none'; script-src '{_hash(parts['map.js'])}'; style-src '{_hash(parts['map.css'])}'"
    filled = parts["map.html"]
    for mark, content in (
        ("/*policy*/", policy), ("/*style*/", parts["map.css"]), ("/*data*/", _data(drawn)),
        ("/*script*/", parts["map.js"]),
    ):  # fmt: skip
        before, _, after = filled.partition(mark)
        filled = before + content + after
    return filled, policy


_PARTS: Final = ("map.html", "map.css", "map.js")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _data(drawn: DrawnMap) -> str:
    told = {
        "total": drawn.total,
        "topics": [{"name": one.name, "x": one.x, "y": one.y, "posts": one.posts} for one in drawn.topics],
        "id": [str(point.id) for point in drawn.points],
        "x": [round(point.x, 4) for point in drawn.points],
        "y": [round(point.y, 4) for point in drawn.points],
        "topic": [point.topic for point in drawn.points],
        "time": [int(point.created_at.timestamp()) for point in drawn.points],
        "source": [point.source for point in drawn.points],
        "text": [point.text for point in drawn.points],
    }
    return orjson.dumps(told).decode().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _topics(topics: list[Topic], points: list[MapPoint]) -> list[MapTopic]:
    xs: list[list[float]] = [[] for _ in topics]
    ys: list[list[float]] = [[] for _ in topics]
    for point in points:
        if point.topic >= 0:
            xs[point.topic].append(point.x)
            ys[point.topic].append(point.y)
    return [
        MapTopic(topic.id, topic.name, sorted(x)[len(x) // 2], sorted(y)[len(y) // 2], len(x))
        for topic, x, y in zip(topics, xs, ys, strict=True)
    ]
