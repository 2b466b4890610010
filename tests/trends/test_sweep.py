"""The sweep over the counts of known topics, and that one burst is one alert."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from postscope.backend.runtime import Runtime
from postscope.backend.setting_groups import WarningSettings
from postscope.backend.tables import Run, Topic, TopicMember
from postscope.workers.long_runs import work_runs
from postscope.workers.maintain import sweep
from postscope.workers.trend_sweep import KIND
from tests.trends.test_early_warning import Stream, stream  # noqa: F401

HOUR = timedelta(hours=1)


def put(stream: Stream, topic: UUID, posts: Sequence[UUID]) -> None:  # noqa: F811
    with stream.runtime.database.session() as session:
        for post in posts:
            session.merge(TopicMember(post_id=post, topic_id=topic, strength=1, assigned_at=stream.clock()))


@pytest.fixture
def known(stream: Stream) -> UUID:  # noqa: F811
    """A topic with three posts a day for two weeks, within the talk of the fixture; its own posts come quietly."""
    stream.runtime.settings = stream.runtime.settings.model_copy(update={"warning": WarningSettings(enabled=False)})
    now = stream.clock()
    topic = Topic(
        id=uuid4(), space="x", layer="topic", kind="discovered", state="active", name="t", centroid=b"",
        reach=0.5, created_at=now, updated_at=now,
    )  # fmt: skip
    with stream.runtime.database.session() as session:
        session.add(topic)
    past = stream.send([(f"trams: {n}", f"t{n}", now - (26 + 8 * n) * HOUR) for n in range(40)])
    put(stream, topic.id, past)
    # Talk of the last three days, so that the stream goes on as before.
    stream.send([(f"talk{n % 97}: late {n}", f"l{n}", now - n * HOUR) for n in range(1, 78)])
    return topic.id


def grow(stream: Stream, topic: UUID, count: int, **options: Any) -> None:  # noqa: F811
    put(stream, topic, stream.burst("trams", count, **options))


def swept(stream: Stream) -> None:  # noqa: F811
    """A round of upkeep with the sweep that it asks for; posts are not looked at."""
    runtime: Runtime = stream.runtime
    runtime.settings = runtime.settings.model_copy(update={"warning": WarningSettings(sweep_minutes=15)})
    sweep(runtime)
    work_runs(runtime)
    runtime.settings = runtime.settings.model_copy(update={"warning": WarningSettings(enabled=False)})


def test_growth_is_found_without_a_new_post_and_told_once(stream: Stream, known: UUID) -> None:  # noqa: F811
    swept(stream)
    assert stream.alerts() == []
    stream.clock.forward(minutes=16)
    grow(stream, known, 25)
    swept(stream)
    (alert,) = stream.alerts()
    assert (alert.kind, alert.topic_id, alert.marks, alert.state) == ("growth", known, [], "open")
    assert alert.observed > alert.high
    stream.clock.forward(hours=3)
    grow(stream, known, 25)
    swept(stream)
    (again,) = stream.alerts()  # it goes on: the same alert
    assert again.id == alert.id
    assert again.posts > alert.posts
    assert again.until > alert.until


def test_a_burst_after_a_long_pause_is_another(stream: Stream, known: UUID) -> None:  # noqa: F811
    grow(stream, known, 25)
    swept(stream)
    stream.clock.forward(days=4)
    now = stream.clock()
    stream.send([(f"talk{n % 97}: later {n}", f"m{n}", now - n * HOUR) for n in range(1, 95)])
    grow(stream, known, 60)
    swept(stream)
    assert len(stream.alerts()) == 2


@pytest.mark.parametrize(
    ("options", "mark"),
    [({"authors": 1}, "single_author"), ({"copies": True}, "near_copies")],
    ids=["author", "copies"],
)
def test_growth_that_one_author_or_copies_make_is_marked(
    stream: Stream, known: UUID, options: dict[str, Any], mark: str  # noqa: F811
) -> None:  # fmt: skip
    grow(stream, known, 30, **options)
    swept(stream)
    (alert,) = stream.alerts()
    assert mark in alert.marks
    assert alert.observed < alert.posts


def test_it_is_asked_for_every_so_often(stream: Stream, known: UUID) -> None:  # noqa: F811
    def runs() -> list[Run]:
        with stream.runtime.database.session() as session:
            return list(session.scalars(select(Run).where(Run.kind == KIND)))

    swept(stream)
    stream.clock.forward(minutes=10)
    swept(stream)
    assert [run.state for run in runs()] == ["done"]
    stream.clock.forward(minutes=6)
    swept(stream)
    assert [run.state for run in runs()] == ["done", "done"]
    sweep(stream.runtime)  # switched off
    assert len(runs()) == 2


def test_hidden_topics_and_dead_ones_raise_nothing(stream: Stream, known: UUID) -> None:  # noqa: F811
    with stream.runtime.database.session() as session:
        session.get_one(Topic, known).hidden = True
        session.add(
            Topic(id=uuid4(), space="x", layer="topic", kind="discovered", state="active", name="other", centroid=b"",
                  reach=0.5, created_at=stream.clock(), updated_at=stream.clock())
        )  # fmt: skip
    grow(stream, known, 30)
    swept(stream)
    assert stream.alerts() == []
