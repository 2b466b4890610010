"""Looks for bursts on the stream: around every recent post, when it is enriched."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import uuid_utils
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from postscope.backend.runtime import Runtime
from postscope.backend.tables import Alert, Post, Topic, TopicMember
from postscope.backend.trends import alerts
from postscope.backend.trends.alerts import Finding
from postscope.indexing.early_warning import (
    HISTORY_HOURS,
    MOST_NEIGHBOURS,
    RECENT_HOURS,
    WINDOWS,
    Around,
    Group,
    assess,
    centre_of,
    distinct,
    marks_of,
    needed_score,
    same_as,
    without,
)
from postscope.indexing.stores.base import DenseQuery
from postscope.indexing.types import Filter, InRange, Vector, Vectors
from postscope.workers.batches import EnrichBatch

RECENT, HISTORY = timedelta(hours=RECENT_HOURS), timedelta(hours=HISTORY_HOURS)
AHEAD = timedelta(minutes=5)
"""Clocks of sources may be so far ahead; what says that it is from later is not of this stream."""
KNOWN = 0.6
"""Share of its members that make a burst one of a known topic."""


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


def watch_stream(runtime: Runtime, batch: EnrichBatch) -> None:
    """Test the surroundings of each post of the batch that is recent. A backlog of old posts is no stream."""
    settings, now = runtime.settings.warning, runtime.clock()
    if not settings.enabled:
        return
    for post in batch.posts:
        vector = batch.points[post.id].dense.get("post")
        if vector is not None and now - RECENT < post.created_at <= now + AHEAD:
            burst = find_burst(runtime, batch.model.collection, vector, post.created_at)
            if burst is not None:
                _raise(runtime, batch.model.encoder.space.id, burst, now)


def find_burst(runtime: Runtime, collection: str, vector: Vector, at: datetime) -> Burst | None:
    """The burst around a post at its time, None where there is none."""
    settings = runtime.settings.warning
    near = _recent(runtime, collection, vector, at)
    if len(near) < settings.least_posts:
        return None
    volumes, before = _volumes(runtime, at)
    query = DenseQuery(vector, "post")
    # Only as far out as the outermost of the recent ones: what is beyond is in no ball that is tried.
    older = runtime.store.query(
        collection,
        query,
        filter=_created(at - HISTORY, at - RECENT),
        limit=20 * MOST_NEIGHBOURS,
        min_score=near[-1].score,
    )
    around = Around(
        np.array([one.score for one in near]),
        np.array([max((at - one.at) / timedelta(hours=1), 0.0) for one in near]),
        np.array([match.score for match in older]),
        volumes,
        before,
    )
    needed = needed_score(volumes[24.0], settings.false_alarms_per_day)
    group = assess(around)
    if group is None or group.score < needed:
        return None
    stored = {
        point.id: point.dense["post"]
        for point in runtime.store.retrieve(collection, [one.id for one in near])
        if "post" in point.dense
    }
    there = np.array([one.id in stored for one in near])
    near, around = [one for one in near if one.id in stored], without(around, there)
    if not near:
        return None
    vectors = np.stack([stored[one.id] for one in near])
    kept = distinct(vectors, [one.author for one in near])
    own = assess(without(around, kept))
    if own is not None and own.score >= needed and len(own.members) >= settings.least_posts:
        inside = np.flatnonzero((around.scores >= own.radius) & (around.ages <= own.window))
        return _burst(own, near, vectors, inside, len(own.members), ())
    group = assess(around)
    if group is None or group.score < needed or len(group.members) < settings.least_posts:
        return None
    inside = np.array(group.members)
    marks = marks_of(vectors[inside], [near[n].author for n in inside])
    # Neither copies nor few authors, but not enough without what repeats: not yet.
    return _burst(group, near, vectors, inside, int(kept[inside].sum()), marks) if marks else None


def _burst(
    group: Group, near: Sequence[Neighbour], vectors: Vectors, inside: np.ndarray, kept: int, marks: Sequence[str]
) -> Burst:
    return Burst(group, [near[n] for n in inside], vectors[inside], kept, marks)


def _recent(runtime: Runtime, collection: str, vector: Vector, at: datetime) -> list[Neighbour]:
    matches = runtime.store.query(
        collection, DenseQuery(vector, "post"), filter=_created(at - RECENT, at), limit=MOST_NEIGHBOURS
    )
    with runtime.database.session() as session:
        rows = session.execute(
            select(Post.id, Post.created_at, Post.author_hash).where(Post.id.in_([match.id for match in matches]))
        )
        known = {row.id: row for row in rows}
    return [
        Neighbour(match.id, match.score, known[match.id].created_at, known[match.id].author_hash)
        for match in matches
        if match.id in known and known[match.id].created_at <= at
    ]


def _volumes(runtime: Runtime, at: datetime) -> tuple[dict[float, int], int]:
    windows = [
        func.count().filter(Post.created_at > at - timedelta(hours=hours)).label(f"w{n}")
        for n, hours in enumerate(WINDOWS)
    ]
    before = func.count().filter(Post.created_at <= at - RECENT).label("before")
    with runtime.database.session() as session:
        row = session.execute(
            select(*windows, before).where(Post.created_at > at - HISTORY, Post.created_at <= at)
        ).one()
    return {hours: max(int(row[n]), 1) for n, hours in enumerate(WINDOWS)}, int(row.before)


def _created(since: datetime, to: datetime) -> Filter:
    return Filter(must=(InRange("created", gt=float(int(since.timestamp())), lte=float(int(to.timestamp()))),))


def _raise(runtime: Runtime, space: str, burst: Burst, now: datetime) -> None:
    """Put the members into the topic of their burst: the one that some are in, a known topic, or a new candidate."""
    ids = [member.id for member in burst.members]
    with runtime.database.session() as session:
        alerts.lock(session)
        there = select(Post.id).where(Post.id.in_(ids)).with_for_update(read=True, key_share=True)
        alive = set(session.scalars(there))
        members = [member for member in burst.members if member.id in alive]
        if not members:
            return
        topic, kind = _topic_of(session, space, [member.id for member in members], centre_of(burst.vectors), now)
        if topic is not None and kind == "candidate":
            _extend(session, topic, members, now)
            return
        if topic is None:
            topic = _candidate(session, space, members, burst, now)
            _extend(session, topic, members, now)
        alerts.raise_alert(session, _finding(burst, members, topic, kind), now=now)


def _topic_of(
    session: Session, space: str, ids: Sequence[UUID], centre: Vector, now: datetime
) -> tuple[Topic | None, alerts.Kind]:
    found = select(Topic).where(
        Topic.kind == "burst", Topic.state == "candidate", Topic.space == space, Topic.last_seen_at > now - RECENT
    )
    candidates = list(session.scalars(found.order_by(Topic.id)))
    known = same_as(centre, [np.frombuffer(topic.centroid, np.float32) for topic in candidates])
    if known is not None:
        return candidates[known], "candidate"
    counted = session.execute(
        select(Topic, func.count().label("posts"))
        .join(TopicMember, TopicMember.topic_id == Topic.id)
        .where(TopicMember.post_id.in_(ids))
        .group_by(Topic.id)
        .order_by(func.count().desc(), Topic.id)
    ).all()
    for topic, posts in counted:
        if topic.state != "candidate" and posts >= KNOWN * len(ids):
            return topic, "growth"
    return None, "candidate"


def _candidate(session: Session, space: str, members: Sequence[Neighbour], burst: Burst, now: datetime) -> Topic:
    centre = centre_of(burst.vectors)
    first = session.scalar(select(Post.text).where(Post.id == members[0].id)) or ""
    topic = Topic(
        id=uuid.UUID(str(uuid_utils.uuid7())),
        space=space,
        layer="topic",
        kind="burst",
        state="candidate",
        name=" ".join(first.split())[:80] or "a burst without words",
        centroid=centre.tobytes(),
        reach=float(np.min(burst.vectors @ centre)),
        created_at=now,
        updated_at=now,
        born_at=min(member.at for member in members),
        last_seen_at=max(member.at for member in members),
    )
    session.add(topic)
    session.flush()
    return topic


def _extend(session: Session, topic: Topic, members: Sequence[Neighbour], now: datetime) -> None:
    """Members that are in no topic come to this one; what a person or another topic has stays there."""
    session.execute(
        text(
            "INSERT INTO topic_members (post_id, topic_id, strength, assigned_at) "
            "SELECT unnest(CAST(:ids AS uuid[])), :topic, 1.0, :now "
            "ON CONFLICT (post_id) DO UPDATE SET topic_id = excluded.topic_id, strength = excluded.strength, "
            "assigned_at = excluded.assigned_at "
            "WHERE topic_members.topic_id IS NULL AND topic_members.corrected_by IS NULL"
        ),
        {"ids": [member.id for member in members], "topic": topic.id, "now": now},
    )
    newest = max(member.at for member in members)
    topic.last_seen_at = max(topic.last_seen_at or newest, newest)
    counted = select(func.count(), func.count(Post.author_hash.distinct())).select_from(TopicMember)
    posts, authors = session.execute(
        counted.join(Post, Post.id == TopicMember.post_id).where(TopicMember.topic_id == topic.id)
    ).one()
    session.execute(
        update(Alert)
        .where(Alert.key == f"candidate:{topic.id}")
        .values(posts=posts, authors=authors, until=topic.last_seen_at)
    )


def _finding(burst: Burst, members: Sequence[Neighbour], topic: Topic, kind: alerts.Kind) -> Finding:
    until = max(member.at for member in members)
    group = burst.group
    # Of a candidate, one in all; of the growth of a topic, one a burst: see raise_alert.
    key = f"candidate:{topic.id}" if kind == "candidate" else f"growth:{topic.id}:{until:%Y-%m-%dT%H:%M}"
    return Finding(
        key=key,
        kind=kind,
        topic_id=topic.id,
        since=until - timedelta(hours=group.window),
        until=until,
        observed=burst.kept,
        prediction=group.prediction,
        probability=10.0**-group.score,
        posts=len(members),
        authors=len({member.author for member in members if member.author}),
        marks=burst.marks,
        evidence={
            "post_ids": [str(member.id) for member in members],
            "radius": round(group.radius, 4),
            "window_hours": group.window,
            "score": round(group.score, 2),
        },
    )
