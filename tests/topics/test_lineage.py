"""What became of topics from one discovery to the next, as the API tells it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from fastapi.testclient import TestClient

from postscope.backend.app import create_app
from postscope.backend.auth import Role
from postscope.indexing.types import Vectors
from tests.conftest import ApiKeyMaker
from tests.topics.conftest import SubjectEncoder, TopicDesk
from tests.topics.test_edits import Api, mostly
from tests.workers.small_encoder import DIM, SmallEncoder

LEAST = 15


class BlendEncoder(SubjectEncoder):
    """A text ``blend 0.3 ...`` lies so far on the way from one subject to another."""

    def _near(self, texts: Sequence[str]) -> Vectors:
        rows = super()._near(texts)
        for row, text in enumerate(texts):
            if text.startswith("blend"):
                seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
                angle = float(text.split()[1]) * np.pi / 2
                vector = np.random.default_rng(seed).normal(size=DIM)
                vector[[5, 6]] += 12 * np.array([np.cos(angle), np.sin(angle)])
                rows[row] = vector / np.linalg.norm(vector)
        return rows


@pytest.fixture
def encoder() -> SmallEncoder:
    return BlendEncoder()


@pytest.fixture
def api(desk: TopicDesk, api_key: ApiKeyMaker) -> Iterator[Api]:
    with TestClient(create_app(desk.runtime)) as client:
        yield Api(client, api_key(Role.ANALYST, name="ana"))


class Story:
    """Two subjects that posts come between, and a third one."""

    def __init__(self, desk: TopicDesk, api: Api) -> None:
        self.desk, self._api = desk, api

    def blend(self, start: float, end: float, count: int) -> list[UUID]:
        """So many posts, spread evenly over a part of the way."""
        rows = []
        for n, at in enumerate(np.linspace(start, end, count)):
            own = hashlib.sha256(f"{start} {end} {n}".encode()).hexdigest()
            words = " ".join(own[place : place + 6] for place in range(0, 48, 6))
            rows.append({"external_id": f"{start}-{end}-{n}", "text": f"blend {at:.4f} {words}"})
        ids = self.desk.post(*rows)
        self.desk.run()
        return ids

    def discover(self) -> UUID:
        run = self.desk.discover(min_size=LEAST)
        assert run.state == "done", run.error
        return run.id

    def told(self, topic: UUID, run: UUID) -> list[dict[str, Any]]:
        """What the API says that a run did with a topic."""
        events = self._api("GET", f"/{topic}/lineage", 200)["events"]
        return [event for event in events if event["run_id"] == str(run)]

    def state(self, topic: UUID) -> str:
        return str(self._api("GET", f"/{topic}", 200)["state"])


@pytest.fixture
def story(desk: TopicDesk, api: Api) -> Story:
    return Story(desk, api)


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return sorted(event["kind"] for event in events)


def test_two_topics_that_grow_together_are_told_as_a_merge_and_revived_when_they_come_apart(story: Story) -> None:
    desk = story.desk
    left, right, storm = story.blend(0, 0.12, 40), story.blend(0.88, 1, 40), desk.talk("storm", 40)
    first = story.discover()
    before = {mostly(desk, posts) for posts in (left, right, storm)}
    assert len(before) == 3
    assert [kinds(story.told(topic, first)) for topic in before] == [["birth"]] * 3

    between = story.blend(0.13, 0.87, 60)
    second = story.discover()
    whole = mostly(desk, between)
    assert mostly(desk, left) == mostly(desk, right) == whole
    assert whole in before, "the topic of both keeps the id of one"
    (gone,) = before - {whole, mostly(desk, storm)}
    assert kinds(story.told(gone, second)) == ["merge"]
    (merge,) = story.told(gone, second)
    assert (merge["from_id"], merge["to_id"]) == (str(gone), str(whole))
    assert merge["overlap"] >= 0.9
    assert kinds(story.told(whole, second)) == ["continue", "merge"]
    assert kinds(story.told(mostly(desk, storm), second)) == ["continue"]
    assert story.state(gone) == "dead"

    for post in between:
        desk.delete(post)
    third = story.discover()
    assert {mostly(desk, left), mostly(desk, right)} == {whole, gone}
    assert kinds(story.told(gone, third)) == ["revive"]
    assert story.state(gone) == "active"


def test_a_topic_that_comes_apart_is_told_as_a_split_and_one_without_posts_as_a_death(story: Story) -> None:
    desk = story.desk
    left, right, between = story.blend(0, 0.12, 40), story.blend(0.88, 1, 40), story.blend(0.13, 0.87, 60)
    storm = desk.talk("storm", 40)
    story.discover()
    whole, other = mostly(desk, between), mostly(desk, storm)
    assert mostly(desk, left) == mostly(desk, right) == whole != other

    for post in between:
        desk.delete(post)
    second = story.discover()
    sides = {mostly(desk, left), mostly(desk, right)}
    assert whole in sides, "one side keeps the id"
    (fresh,) = sides - {whole}
    assert kinds(story.told(fresh, second)) == ["birth", "split"]
    (split,) = [event for event in story.told(fresh, second) if event["kind"] == "split"]
    assert (split["from_id"], split["to_id"]) == (str(whole), str(fresh))
    assert kinds(story.told(whole, second)) == ["continue", "split"]

    for post in storm:
        desk.delete(post)
    third = story.discover()
    assert kinds(story.told(other, third)) == ["death"]
    assert story.state(other) == "dead"
    assert {story.state(topic) for topic in sides} == {"active"}


def test_a_filter_that_lets_no_post_through_ends_no_topic_and_does_not_say_so(desk: TopicDesk) -> None:
    desk.talk("storm", 30)
    first = desk.discover()
    run = desk.discover(source=["elsewhere"])
    assert first.result is not None
    assert run.result is not None
    assert (first.result["born"], first.result["topics"], run.result["posts"], run.result["ended"]) == (1, 1, 0, 0)
    assert len(desk.topics()) == 1
    desk.discover(created={"from": "1990-01-01T00:00:00Z", "to": "1990-01-02T00:00:00Z"})
    again = desk.discover(created={"from": "1990-01-01T00:00:00Z", "to": "1990-01-02T00:00:00Z"})
    assert again.result is not None
    assert again.result["ended"] == 0, "what has ended does not end again"
