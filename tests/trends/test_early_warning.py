"""Early warning on the stream: through intake, stages and API, with vectors that are placed by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, select

from postscope.backend.app import create_app
from postscope.backend.auth import Role
from postscope.backend.database import Database
from postscope.backend.runtime import Runtime
from postscope.backend.setting_groups import WarningSettings
from postscope.backend.settings import Settings
from postscope.backend.tables import Alert, AuditEntry, Post, Topic, TopicMember
from postscope.backend.work import Stage
from postscope.indexing.types import Vectors
from postscope.migrations.collections.live import ensure_live_space
from postscope.workers.stages import run_stage
from postscope.workers.surroundings import Burst, Looked, find_bursts
from tests.conftest import ApiKeyMaker, SetClock, bearer
from tests.workers.small_encoder import SmallEncoder, vectors, write_calibration


class PlacedEncoder(SmallEncoder):
    """Texts that begin with the same word before ``:`` lie close together; equal texts lie on each other."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        centres = vectors([text.split(":")[0].encode() for text in texts])
        own = vectors([text.encode() for text in texts])
        made = centres + 0.35 * own
        return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


class Stream:
    """Posts that come in now, and are worked off."""

    def __init__(self, runtime: Runtime, clock: SetClock) -> None:
        self.runtime, self.clock, self.count = runtime, clock, 0

    def history(self) -> None:
        """Four weeks of talk about many things, enriched when it was new."""
        now = self.clock()
        self.send([(f"talk{n % 97}: {n}", f"a{n}", now - timedelta(hours=80 + n)) for n in range(500)])

    def send(self, posts: Sequence[tuple[str, str | None, datetime]]) -> list[UUID]:
        rows: list[dict[str, Any]] = []
        for text, author, at in posts:
            self.count += 1
            rows.append(
                {
                    "source": "s",
                    "external_id": str(self.count),
                    "text": text,
                    "author": author,
                    "created_at": at.isoformat(),
                }
            )
        with self.runtime.database.session() as session:
            verdicts = self.runtime.posts.create(session, rows, now=self.clock())
        for stage in (Stage.INDEX, Stage.ENRICH):
            run_stage(self.runtime, stage)
        return [verdict.id for verdict in verdicts if verdict.id is not None]

    def burst(self, name: str, count: int, *, authors: int | None = None, copies: bool = False) -> list[UUID]:
        """So many posts of one matter, a minute apart, the last one now."""
        now = self.clock()
        return self.send(
            [
                (
                    f"{name}: {0 if copies else n}",
                    f"{name}-{n % (authors or count)}",
                    now - timedelta(minutes=count - n),
                )
                for n in range(count)
            ]
        )

    def alerts(self) -> list[Alert]:
        with self.runtime.database.session() as session:
            return list(session.scalars(select(Alert).order_by(Alert.raised_at, Alert.id)))


@pytest.fixture
def stream(settings: Settings, database: Database, clock: SetClock) -> Any:
    write_calibration(settings.model_cache)
    runtime = Runtime(settings, database, clock=clock, open_encoder=lambda _: PlacedEncoder())
    ensure_live_space(runtime)
    made = Stream(runtime, clock)
    made.history()
    yield made
    runtime.close()


def test_a_tight_group_that_no_topic_explains_becomes_a_candidate_and_one_alert(stream: Stream) -> None:
    posts = stream.burst("bridge", 30)
    (alert,) = stream.alerts()
    assert (alert.kind, alert.state, alert.marks) == ("candidate", "open", [])
    assert alert.observed > alert.high
    assert alert.probability < 1e-6
    with stream.runtime.database.session() as session:
        topic = session.get_one(Topic, alert.topic_id)
        members = set(session.scalars(select(TopicMember.post_id).where(TopicMember.topic_id == topic.id)))
    assert (topic.kind, topic.state, topic.layer) == ("burst", "candidate", "topic")
    assert members <= set(posts)
    assert len(members) >= 25
    stream.clock.forward(minutes=40)
    stream.burst("bridge", 10)  # it goes on: the same alert
    (again,) = stream.alerts()
    assert again.posts > alert.posts


def test_two_bursts_at_once_are_two_alerts_and_pages_lose_neither(stream: Stream, api_key: ApiKeyMaker) -> None:
    stream.burst("bridge", 15)
    stream.burst("comet", 15)
    raised = stream.alerts()
    assert len({alert.topic_id for alert in raised}) == len(raised) == 2
    assert raised[0].raised_at == raised[1].raised_at
    with TestClient(create_app(stream.runtime)) as client:
        analyst = bearer(api_key(Role.ANALYST))
        first = client.get("/v1/alerts?limit=1", headers=analyst).json()
        second = client.get(f"/v1/alerts?limit=1&before={first['next_before']}", headers=analyst).json()
    paged = [alert["id"] for page in (first, second) for alert in page["alerts"]]
    assert paged == sorted((str(alert.id) for alert in raised), reverse=True)


def test_usual_talk_raises_nothing(stream: Stream) -> None:
    now = stream.clock()
    stream.send([(f"talk{n % 97}: new {n}", f"b{n}", now - timedelta(minutes=n)) for n in range(60)])
    assert stream.alerts() == []


def looked(stream: Stream, ids: Sequence[UUID]) -> list[Looked]:
    points = stream.runtime.store.retrieve(stream.runtime.live.collection, ids)
    with stream.runtime.database.session() as session:
        times = {post.id: post.created_at for post in session.scalars(select(Post).where(Post.id.in_(ids)))}
    return [Looked(point.dense["post"], times[point.id]) for point in points]


def shown(bursts: Sequence[Burst]) -> list[Any]:
    return [
        (
            one.group.window,
            one.group.members,
            one.kept,
            one.marks,
            round(one.group.score, 6),
            [m.id for m in one.members],
        )
        for one in bursts
    ]


def test_a_batch_says_what_its_posts_say_one_by_one(stream: Stream) -> None:
    """Also where so many newer posts are near that those of an earlier time are hidden behind them."""
    now = stream.clock()
    ids = stream.send(
        [(f"talk{n % 97}: new {n}", f"b{n}", now - timedelta(minutes=20, seconds=n)) for n in range(60)]
        + [(f"bridge: {n}", f"c{n}", now - timedelta(seconds=4 * n)) for n in range(150)]
        + [("spam: 1", "d", now - timedelta(seconds=5 * n)) for n in range(20)]
    )
    posts = sorted(looked(stream, ids), key=lambda one: one.at)
    runtime, collection = stream.runtime, stream.runtime.live.collection
    together = find_bursts(runtime, collection, posts)
    alone = [burst for post in posts for burst in find_bursts(runtime, collection, [post])]
    assert len(together) > 100
    assert shown(together) == shown(alone)


def test_usual_talk_costs_a_few_statements_a_batch(stream: Stream) -> None:
    now = stream.clock()
    ids = stream.send([(f"talk{n % 97}: new {n}", f"b{n}", now - timedelta(seconds=n)) for n in range(60)])
    posts = looked(stream, ids)
    sent: list[str] = []
    event.listen(stream.runtime.database.engine, "before_cursor_execute", lambda *args: sent.append(str(args[2])))
    assert find_bursts(stream.runtime, stream.runtime.live.collection, posts) == []
    assert len([one for one in sent if one.startswith("SELECT")]) <= 4


@pytest.mark.parametrize(
    ("options", "mark"),
    [({"authors": 1}, "single_author"), ({"copies": True}, "near_copies")],
    ids=["author", "copies"],
)
def test_what_one_author_or_near_copies_make_is_marked(stream: Stream, options: dict[str, Any], mark: str) -> None:
    stream.burst("spam", 30, **options)
    (alert,) = stream.alerts()
    assert alert.marks == [mark]
    assert alert.observed <= 2 < alert.posts


def test_a_burst_within_a_known_topic_is_its_growth(stream: Stream) -> None:
    now = stream.clock()
    with stream.runtime.database.session() as session:
        topic = Topic(
            id=UUID(int=7), space="x", layer="topic", kind="discovered", state="active", name="t", centroid=b"",
            reach=0.5, created_at=now, updated_at=now,
        )  # fmt: skip
        session.add(topic)
    for _ in range(15):
        (post,) = stream.burst("bridge", 1)
        with stream.runtime.database.session() as session:
            session.merge(TopicMember(post_id=post, topic_id=topic.id, strength=1, assigned_at=now))
    (alert,) = stream.alerts()
    assert (alert.kind, alert.topic_id) == ("growth", topic.id)


def test_a_burst_that_a_broad_topic_took_in_is_one_of_its_own_but_what_people_made_keeps_it(stream: Stream) -> None:
    space, now = stream.runtime.live.encoder.space, stream.clock()
    elsewhere = vectors([b"elsewhere"])[0]
    centroid = (elsewhere / np.linalg.norm(elsewhere)).astype(np.float32).tobytes()
    made = {
        "layer": "topic",
        "state": "active",
        "centroid": centroid,
        "reach": 0.9,
        "created_at": now,
        "updated_at": now,
    }
    with stream.runtime.database.session() as session:
        session.add(Topic(id=UUID(int=7), space=space.id, kind="discovered", name="broad", **made))
        session.add(Topic(id=UUID(int=8), space=space.id, kind="split", name="ours", **made))
    for name, number in (("bridge", 7), ("comet", 8)):
        for n in range(15):
            (post,) = stream.burst(name, 1)
            with stream.runtime.database.session() as session:
                if session.get_one(TopicMember, post).topic_id is None:
                    row = {"topic_id": UUID(int=number), "corrected_by": "ada" if name == "bridge" and n == 0 else None}
                    session.merge(TopicMember(post_id=post, strength=1, assigned_at=now, **row))
    first, second = stream.alerts()
    assert (first.kind, second.kind, second.topic_id) == ("candidate", "growth", UUID(int=8))
    with stream.runtime.database.session() as session:
        held = Counter(session.scalars(select(TopicMember.topic_id)))
    assert held[UUID(int=7)] == 1, "what a person said of a post stays"
    assert held[first.topic_id] >= 12


def test_old_posts_and_posts_from_the_future_are_no_stream(stream: Stream) -> None:
    for when in (datetime.fromisoformat("1970-01-01T00:00:00Z"), stream.clock() + timedelta(days=400)):
        stream.send([(f"odd: {n}", f"o{n}", when) for n in range(30)])
    assert stream.alerts() == []


def test_without_history_nothing_is_raised(settings: Settings, database: Database, clock: SetClock) -> None:
    write_calibration(settings.model_cache)
    runtime = Runtime(settings, database, clock=clock, open_encoder=lambda _: PlacedEncoder())
    try:
        ensure_live_space(runtime)
        young = Stream(runtime, clock)
        young.burst("bridge", 30)
        assert young.alerts() == []
    finally:
        runtime.close()


def test_switched_off_it_raises_nothing(stream: Stream) -> None:
    off = stream.runtime.settings.model_copy(update={"warning": WarningSettings(enabled=False)})
    stream.runtime.settings = off
    stream.burst("bridge", 30)
    assert stream.alerts() == []


def test_a_post_that_is_deleted_meanwhile_leaves_the_alert(stream: Stream) -> None:
    posts = stream.burst("bridge", 20)
    with stream.runtime.database.session() as session:
        for post in posts:
            stream.runtime.posts.delete(session, post, now=stream.clock())
    run_stage(stream.runtime, Stage.ERASE)
    stream.burst("comet", 12)
    assert len(stream.alerts()) == 2


def test_people_decide_and_the_audit_log_keeps_it(stream: Stream, api_key: ApiKeyMaker) -> None:
    stream.burst("bridge", 20)
    with TestClient(create_app(stream.runtime)) as client:
        analyst = bearer(api_key(Role.ANALYST, name="ada"))
        (alert,) = client.get("/v1/alerts?state=open", headers=analyst).json()["alerts"]
        path = f"/v1/alerts/{alert['id']}"
        (old,) = stream.send([("bridge: long ago", "z", stream.clock() - timedelta(days=9))])
        with stream.runtime.database.session() as session:
            session.get_one(TopicMember, old).topic_id = UUID(alert["topic_id"])
        assert client.get(alert["posts_url"], headers=analyst).json()["total"] == alert["posts"]
        taken = client.post(f"{path}/acknowledge", json={"note": "on it"}, headers=analyst).json()
        assert (taken["state"], taken["decided_by"], taken["note"]) == ("acknowledged", "ada", "on it")
        assert client.post(f"{path}/acknowledge", json={}, headers=analyst).status_code == 409
        assert client.post(f"{path}/dismiss", json={}, headers=analyst).json()["state"] == "dismissed"
        assert client.post(f"{path}/dismiss", json={}, headers=bearer(api_key(Role.PRODUCT))).status_code == 403
        assert client.get(f"/v1/alerts/{UUID(int=1)}", headers=analyst).status_code == 404
        assert client.get("/v1/alerts?before=yesterday", headers=analyst).status_code == 422
    with stream.runtime.database.session() as session:
        actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.number)))
    assert actions == ["alert.acknowledge", "alert.dismiss"]
