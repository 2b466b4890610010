"""Clocks that change while topics are kept, and hours that the clocks of people have twice."""

from __future__ import annotations

from tests.conftest import SetClock
from tests.topics.conftest import TopicDesk


def test_a_clock_that_is_set_back_leaves_topics_as_they_are_and_finds_new_ones(
    desk: TopicDesk, clock: SetClock
) -> None:
    storm = desk.talk("storm", 30)
    desk.discover()
    before = {post: desk.topic_of(post) for post in storm}
    clock.forward(hours=-1)
    match = desk.talk("match", 30, created_at="2026-03-02T08:30:00Z")
    run = desk.discover()
    assert run.state == "done", run.error
    assert {post: desk.topic_of(post) for post in storm} == before
    fresh = {desk.topic_of(post) for post in match}
    assert len(fresh - {None}) == 1
    assert not fresh & set(before.values()) - {None}
    assert not desk.topics("topic", "dead")


def test_the_hour_that_clocks_have_twice_is_two_hours(desk: TopicDesk) -> None:
    first = desk.talk("storm", 12, created_at="2025-10-26T02:30:00+02:00")
    second = desk.talk("storm", 8, first=12, created_at="2025-10-26T02:30:00+01:00")
    both = desk.discover(created={"from": "2025-10-26T02:00:00+02:00", "to": "2025-10-26T03:00:00+01:00"})
    assert both.result is not None
    assert both.result["posts"] == len(first) + len(second)
    for hour, count in (("+02:00", len(first)), ("+01:00", len(second))):
        run = desk.discover(created={"from": f"2025-10-26T02:00:00{hour}", "to": f"2025-10-26T02:59:59{hour}"})
        assert run.state == "done", run.error
        assert run.result is not None
        assert run.result["posts"] == count


def test_ten_posts_that_have_nothing_in_common_are_outliers(desk: TopicDesk) -> None:
    ids = [desk.talk(f"word{n}", 1)[0] for n in range(10)]
    run = desk.discover()
    assert run.state == "done", run.error
    assert run.result is not None
    assert (run.result["topics"], run.result["outlier_share"]) == (0, 1.0)
    assert {desk.topic_of(post) for post in ids} == {None}
