"""A burst that was found on the stream, and what the next discoveries make of it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import select

from postscope.backend.tables import Topic, TopicLineage, TopicMember
from tests.conftest import SetClock
from tests.topics.conftest import TopicDesk


def candidate(desk: TopicDesk, posts: list[UUID]) -> UUID:
    """What the early warning writes when it finds these."""
    runtime, now = desk.runtime, desk.runtime.clock()
    stored = runtime.store.retrieve(runtime.live.collection, posts)
    vectors = np.stack([point.dense["post"] for point in stored])
    centre = vectors.mean(axis=0)
    centre /= np.linalg.norm(centre)
    topic = Topic(
        id=uuid4(), space=runtime.live.encoder.space.id, layer="topic", kind="burst", state="candidate", name="a burst",
        centroid=centre.astype(np.float32).tobytes(), reach=0.5, created_at=now, updated_at=now, born_at=now,
        last_seen_at=now,
    )  # fmt: skip
    with runtime.database.session() as session:
        session.add(topic)
        session.flush()
        session.add_all(TopicMember(post_id=post, topic_id=topic.id, strength=1, assigned_at=now) for post in posts)
    return topic.id


def lineage(desk: TopicDesk, topic: UUID) -> list[str]:
    with desk.runtime.database.session() as session:
        rows = session.scalars(
            select(TopicLineage)
            .where((TopicLineage.from_id == topic) | (TopicLineage.to_id == topic))
            .order_by(TopicLineage.id)
        )
        return [row.kind for row in rows]


def state(desk: TopicDesk, topic: UUID) -> tuple[str, str]:
    with desk.runtime.database.session() as session:
        found = session.get_one(Topic, topic)
        return found.state, found.name


def test_a_burst_that_is_found_again_becomes_that_topic_and_keeps_its_id(
    desk: TopicDesk, subjects: Callable[[], dict[str, list[UUID]]], clock: SetClock
) -> None:
    subjects()
    posts = desk.talk("phone", 40)
    burst = candidate(desk, posts[:25])
    clock.forward(minutes=5)
    run = desk.discover()
    assert run.state == "done", run.error
    assert state(desk, burst)[0] == "active"
    assert sum(desk.topic_of(post) == burst for post in posts) >= 36
    assert state(desk, burst)[1] != "a burst"  # named by its words now
    assert lineage(desk, burst) == ["continue"]
    clock.forward(minutes=5)
    desk.talk("phone", 10, first=40)
    desk.discover()
    assert state(desk, burst)[0] == "active"
    assert lineage(desk, burst) == ["continue", "continue"]


def test_a_burst_that_is_not_found_again_fades(
    desk: TopicDesk, subjects: Callable[[], dict[str, list[UUID]]], clock: SetClock
) -> None:
    posts = [post for ids in subjects().values() for post in ids[:2]]
    odd = [desk.talk(f"word{n}", 1)[0] for n in range(6)]
    burst = candidate(desk, odd)
    clock.forward(minutes=5)
    run = desk.discover()
    assert run.state == "done", run.error
    assert state(desk, burst)[0] == "dead"
    assert lineage(desk, burst) == ["death"] or lineage(desk, burst) == ["merge"]
    assert all(desk.topic_of(post) != burst for post in [*odd, *posts])
    clock.forward(minutes=5)
    desk.discover()
    assert state(desk, burst)[0] == "dead"
