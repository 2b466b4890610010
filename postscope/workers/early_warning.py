"""Looks for bursts on the stream: around every recent post, when it is enriched."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import uuid_utils
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from postscope.backend.runtime import Runtime
from postscope.backend.tables import Alert, Post, Topic, TopicMember
from postscope.backend.topics.applying import is_kept
from postscope.backend.trends import alerts
from postscope.backend.trends.alerts import Finding
from postscope.indexing.early_warning import centre_of, same_as
from postscope.indexing.types import Vector
from postscope.workers.batches import EnrichBatch
from postscope.workers.surroundings import RECENT, Burst, Looked, Neighbour, find_bursts

AHEAD = timedelta(minutes=5)
"""Clocks of sources may be so far ahead; what says that it is from later is not of this stream."""
KNOWN = 0.6
"""Share of its members that make a burst one of a known topic."""
EXPLAINED = 0.5
"""Cosine that its centre has with that of a burst which it explains. A broad topic reaches far, and takes in posts on
matters that are new to it; together they show that they are none of it."""


def watch_stream(runtime: Runtime, batch: EnrichBatch) -> None:
    """Test the surroundings of each post of the batch that is recent. A backlog of old posts is no stream."""
    settings, now = runtime.settings.warning, runtime.clock()
    if not settings.enabled:
        return
    looked = [
        Looked(vector, post.created_at)
        for post in batch.posts
        if (vector := batch.points[post.id].dense.get("post")) is not None
        and now - RECENT < post.created_at <= now + AHEAD
    ]
    for burst in gathered(find_bursts(runtime, batch.model.collection, looked)):
        _raise(runtime, batch.model.encoder.space.id, burst, now)


def gathered(bursts: Sequence[Burst]) -> list[Burst]:
    """Bursts that are one, seen from several of its posts, as one: the most surprising, with the members of all."""
    found: list[Burst] = []
    centres: list[Vector] = []
    # One that is seen without marks from some of its posts is what it seems.
    for burst in sorted(bursts, key=lambda one: (bool(one.marks), -one.group.score)):
        known = same_as(centre := centre_of(burst.vectors), centres, [0.0] * len(centres))
        if known is None:
            found.append(burst)
            centres.append(centre)
            continue
        first = found[known]
        have = {member.id for member in first.members}
        more = [n for n, member in enumerate(burst.members) if member.id not in have]
        found[known] = replace(
            first,
            members=[*first.members, *(burst.members[n] for n in more)],
            vectors=np.concatenate([first.vectors, burst.vectors[more]]),
        )
    return found


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
        centre, held = centre_of(burst.vectors), _held(session, [member.id for member in members])
        strangers = [topic.id for topic in held if not _explains(topic, space, centre)]
        topic, kind = _topic_of(session, space, held, len(members), centre, now)
        if topic is not None and kind == "candidate":
            _extend(session, topic, members, strangers, now)
            return
        if topic is None:
            topic = _candidate(session, space, members, burst, now)
            _extend(session, topic, members, strangers, now)
        alerts.raise_alert(session, _finding(burst, members, topic, kind), now=now)


def _held(session: Session, ids: Sequence[UUID]) -> Mapping[Topic, int]:
    """The topics that these posts are in, those of most of them first, and how many are."""
    counted = session.execute(
        select(Topic, func.count().label("posts"))
        .join(TopicMember, TopicMember.topic_id == Topic.id)
        .where(TopicMember.post_id.in_(ids))
        .group_by(Topic.id)
        .order_by(func.count().desc(), Topic.id)
    )
    return {row.Topic: row.posts for row in counted}


def _explains(topic: Topic, space: str, centre: Vector) -> bool:
    """Whether a burst is of this topic; what people made or pinned is what they say it is."""
    if is_kept(topic) or topic.space != space:
        return True
    return float(np.frombuffer(topic.centroid, np.float32) @ centre) >= EXPLAINED


def _topic_of(
    session: Session, space: str, held: Mapping[Topic, int], members: int, centre: Vector, now: datetime
) -> tuple[Topic | None, alerts.Kind]:
    found = select(Topic).where(
        Topic.kind == "burst", Topic.state == "candidate", Topic.space == space, Topic.last_seen_at > now - RECENT
    )
    candidates = list(session.scalars(found.order_by(Topic.id)))
    quiet = [(now - (topic.last_seen_at or now)) / timedelta(hours=1) for topic in candidates]
    known = same_as(centre, [np.frombuffer(topic.centroid, np.float32) for topic in candidates], quiet)
    if known is not None:
        return candidates[known], "candidate"
    for topic, posts in held.items():
        if topic.state != "candidate" and posts >= KNOWN * members and _explains(topic, space, centre):
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


def _extend(
    session: Session, topic: Topic, members: Sequence[Neighbour], strangers: Sequence[UUID], now: datetime
) -> None:
    """Members that are in no topic, or in one of ``strangers``, come to this one; what a person or another topic has
    stays there."""
    session.execute(
        text(
            "INSERT INTO topic_members (post_id, topic_id, strength, assigned_at) "
            "SELECT unnest(CAST(:ids AS uuid[])), :topic, 1.0, :now "
            "ON CONFLICT (post_id) DO UPDATE SET topic_id = excluded.topic_id, strength = excluded.strength, "
            "assigned_at = excluded.assigned_at, subtopic_id = NULL, run_id = NULL "
            "WHERE topic_members.corrected_by IS NULL AND (topic_members.topic_id IS NULL "
            "OR topic_members.topic_id = ANY(CAST(:strangers AS uuid[])))"
        ),
        {
            "ids": [member.id for member in members],
            "topic": topic.id,
            "strangers": [one for one in strangers if one != topic.id],
            "now": now,
        },
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
