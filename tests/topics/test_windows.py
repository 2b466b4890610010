"""Windows that are small, odd, or change under the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from postscope.backend import runs
from postscope.backend.tables import Topic, TopicLayout, TopicLineage, TopicMember
from postscope.indexing.topics.computing import compute
from postscope.indexing.topics.job import Job, Result
from postscope.workers.long_runs import work_runs
from tests.conftest import SetClock
from tests.topics.conftest import ANALYST, TopicDesk, compute_here

Interrupt = Callable[[Callable[[], None]], None]


def rows(desk: TopicDesk) -> dict[str, int]:
    """How much there is of all that a discovery writes."""
    with desk.runtime.database.session() as session:
        tables = (Topic, TopicLayout, TopicLineage, TopicMember)
        return {table.__tablename__: session.query(table).count() for table in tables}


@pytest.fixture
def before_the_answer(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Something happens once, after the posts were read and before anything is computed."""

    def arrange(happens: Callable[[], None]) -> None:
        waiting = [happens]

        def interrupted(job: Job, *, tell: Callable[[str, float], None], **told: Any) -> Result:
            while waiting:
                waiting.pop()()
            return compute_here(job, tell=tell)

        monkeypatch.setattr("postscope.workers.discovering.compute", interrupted)

    return arrange


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_a_window_of_too_few_posts_has_no_topics_and_says_so(desk: TopicDesk, count: int) -> None:
    ids = desk.talk("storm", count) if count else []
    run = desk.discover()
    assert run.state == "done", run.error
    assert run.result is not None
    assert (run.result["posts"], run.result["topics"]) == (count, 0)
    assert run.result["outlier_share"] == (1.0 if count else None)
    assert [desk.topic_of(post) for post in ids] == [None] * count


def test_ten_posts_on_one_subject_are_one_topic(desk: TopicDesk) -> None:
    ids = desk.talk("storm", 10)
    run = desk.discover()
    assert run.state == "done", run.error
    (topic,) = desk.topics()
    assert {desk.topic_of(post) for post in ids} == {topic.id}


def test_one_giant_topic_is_one_topic(desk: TopicDesk) -> None:
    ids = desk.talk("storm", 120)
    desk.discover()
    (topic,) = desk.topics()
    assert sum(desk.topic_of(post) == topic.id for post in ids) >= 114


def test_a_flood_of_one_text_is_no_topic(desk: TopicDesk) -> None:
    ids = desk.post(*({"external_id": str(n), "text": "storm storm storm"} for n in range(60)))
    desk.run()
    run = desk.discover()
    assert run.state == "done", run.error
    assert run.result is not None
    assert (run.result["topics"], run.result["outlier_share"]) == (0, 1.0)
    assert desk.topic_of(ids[0]) is None


def test_posts_of_1970_and_of_tomorrow_are_taken_as_they_say(desk: TopicDesk) -> None:
    early = desk.talk("storm", 20, created_at="1970-01-01T00:00:00Z")
    late = desk.talk("storm", 20, first=20, created_at="2026-03-02T12:04:00Z")
    run = desk.discover()
    assert run.state == "done", run.error
    (topic,) = desk.topics()
    assert {desk.topic_of(post) for post in early + late} == {topic.id}
    assert topic.born_at is not None
    assert topic.last_seen_at is not None
    assert (topic.born_at.year, topic.last_seen_at.year) == (1970, 2026)
    narrow = desk.discover(created={"from": "1969-01-01T00:00:00Z", "to": "1971-01-01T00:00:00Z"})
    assert narrow.result is not None
    assert narrow.result["posts"] == 20


def test_posts_that_are_deleted_during_a_run_are_in_no_topic(desk: TopicDesk, before_the_answer: Interrupt) -> None:
    ids = desk.talk("storm", 20) + desk.talk("match", 20)
    before_the_answer(lambda: [desk.delete(post) for post in ids[:5]] and None)
    run = desk.discover()
    assert run.state == "done", run.error
    with desk.runtime.database.session() as session:
        members = {member.post_id for member in session.query(TopicMember)}
        placed = {row.post_id for row in session.query(TopicLayout)}
        shown = {post for topic in session.query(Topic) for post in topic.summary.get("post_ids", [])}
    assert members == placed == set(ids[5:])
    assert shown


def test_posts_that_fit_nowhere_while_a_run_computes_belong_to_what_it_finds(
    desk: TopicDesk, clock: SetClock, before_the_answer: Interrupt
) -> None:
    ids = desk.talk("storm", 20)

    def enrich() -> None:
        clock.forward(seconds=5)
        with desk.runtime.database.session() as session:
            for post in ids:
                session.merge(TopicMember(post_id=post, topic_id=None, strength=0.0, assigned_at=clock()))

    before_the_answer(enrich)
    assert desk.discover().state == "done"
    with desk.runtime.database.session() as session:
        assert {member.topic_id is None for member in session.query(TopicMember)} == {False}


def test_all_posts_deleted_during_a_run_leave_nothing_behind(desk: TopicDesk, before_the_answer: Interrupt) -> None:
    ids = desk.talk("storm", 12)
    before_the_answer(lambda: [desk.delete(post) for post in ids] and None)
    assert desk.discover().state == "done"
    assert rows(desk)["topic_members"] == rows(desk)["topic_layout"] == 0


def test_a_cancelled_run_leaves_everything_as_it_was(desk: TopicDesk, before_the_answer: Interrupt) -> None:
    desk.talk("storm", 20)
    desk.discover()
    desk.talk("match", 20)
    before, run_id = rows(desk), desk.ask()

    def cancel() -> None:
        with desk.runtime.database.session() as session:
            runs.cancel(session, run_id, ANALYST, now=desk.runtime.clock())

    before_the_answer(cancel)
    work_runs(desk.runtime)
    assert desk.seen(run_id).state == "cancelled"
    assert rows(desk) == before
    assert not list((desk.runtime.settings.data_dir / "discoveries").iterdir())


def test_a_run_whose_worker_died_is_done_by_another(
    desk: TopicDesk, clock: SetClock, before_the_answer: Interrupt
) -> None:
    desk.talk("storm", 20)
    run_id = desk.ask()

    def die() -> None:
        raise KeyboardInterrupt  # no handler of ours takes it: the process is gone

    before_the_answer(die)
    with pytest.raises(KeyboardInterrupt):
        work_runs(desk.runtime)
    assert rows(desk)["topics"] == 0
    clock.forward(seconds=runs.LEASE_SECONDS + 1)
    with desk.runtime.database.session() as session:
        runs.reclaim(session, now=clock())
    work_runs(desk.runtime)
    assert desk.seen(run_id).state == "done"
    assert len(desk.topics()) == 1


@pytest.mark.slow
def test_the_child_process_ends_when_its_run_is_cancelled(desk: TopicDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    children: list[subprocess.Popen[str]] = []
    opened = subprocess.Popen

    def watched(*args: Any, **told: Any) -> Any:
        children.append(opened(*args, **told))
        return children[-1]

    monkeypatch.setattr("postscope.indexing.topics.computing.subprocess.Popen", watched)
    desk.talk("storm", 20)
    run_id = desk.ask()

    def cancelling(job: Job, **told: Any) -> Result:
        with desk.runtime.database.session() as session:
            runs.cancel(session, run_id, ANALYST, now=desk.runtime.clock())
        return compute(job, **told)

    monkeypatch.setattr("postscope.workers.discovering.compute", cancelling)
    work_runs(desk.runtime)
    assert desk.seen(run_id).state == "cancelled"
    assert [child.poll() is not None for child in children] == [True]


def test_a_second_discovery_of_the_same_posts_continues_all_and_one_without_a_topics_posts_ends_it(
    desk: TopicDesk,
) -> None:
    day = {subject: f"2026-03-0{n}T00:00:00Z" for n, subject in enumerate(("storm", "match", "bread"), start=1)}
    ids = {subject: desk.talk(subject, 30, created_at=when) for subject, when in day.items()}
    first = desk.discover()
    assert desk.lineage(first) == {"birth": 3}
    again = desk.discover()
    assert desk.lineage(again) == {"continue": 3}
    for post in ids["bread"]:
        desk.delete(post)
    ended = desk.discover()
    assert desk.lineage(ended) == {"continue": 2, "death": 1}
    assert len(desk.topics("topic", "dead")) == 1
    assert desk.topic_of(ids["storm"][0]) != desk.topic_of(ids["match"][0])
