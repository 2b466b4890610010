"""Copies count once for density, and all of them for volume."""

from __future__ import annotations

from collections import Counter

from postscope.backend.work import Stage
from tests.topics.conftest import TopicDesk

STORY = "the referee stopped the football game at the stadium after the second goal because of a power failure"


def test_a_flood_of_edited_copies_is_no_topic_though_their_vectors_differ(desk: TopicDesk) -> None:
    storm = desk.talk("storm", 30)
    flood = desk.post(*({"external_id": f"c{n}", "text": f"match {STORY} number{n}"} for n in range(30)))
    desk.run(Stage.INDEX)
    unknown = desk.discover()
    assert unknown.result is not None
    assert unknown.result["topics"] == 2, "as long as nobody knows that they are copies"
    desk.run(Stage.ENRICH)
    run = desk.discover()
    assert run.state == "done", run.error
    assert run.result is not None
    assert run.result["topics"] == 1
    assert run.result["posts"] == 60
    assert {desk.topic_of(post) for post in flood} == {None}
    assert Counter(desk.topic_of(post) is None for post in storm)[False] >= 27


def test_edited_copies_of_a_topics_post_belong_to_it_and_count_for_its_size(desk: TopicDesk) -> None:
    own = desk.talk("match", 30)
    copies = desk.post(*({"external_id": f"c{n}", "text": f"match {STORY} number{n}"} for n in range(12)))
    desk.talk("storm", 30)
    desk.run(Stage.INDEX, Stage.ENRICH)
    run = desk.discover()
    assert run.state == "done", run.error
    places = Counter(desk.topic_of(post) for post in [*own, *copies])
    topic, size = places.most_common(1)[0]
    assert topic is not None
    assert size >= 39
    assert {desk.topic_of(post) for post in copies} == {topic}
