"""The work table: what is claimed, what comes back, what is given up."""

from __future__ import annotations

import threading
from uuid import UUID, uuid4

import pytest

from postscope.backend import work, work_ends
from postscope.backend.database import Database
from postscope.backend.setting_groups import WorkSettings
from postscope.backend.work import Claim, Stage
from tests.conftest import SetClock

SETTINGS = WorkSettings(batch=10, lease_seconds=60, max_attempts=3, retry_base_seconds=2, retry_cap_seconds=5)


@pytest.fixture
def table(database: Database, clock: SetClock) -> Table:
    return Table(database, clock)


class Table:
    """The functions under test, each in a transaction of its own."""

    def __init__(self, database: Database, clock: SetClock) -> None:
        self.database, self.clock = database, clock

    def add(self, count: int = 1, *, ids: list[UUID] | None = None) -> list[UUID]:
        ids = ids or [uuid4() for _ in range(count)]
        with self.database.session() as session:
            work.add(session, Stage.INDEX, ids, now=self.clock(), request_id="r-1")
        return ids

    def claim(self, limit: int | None = None) -> list[Claim]:
        with self.database.session() as session:
            return work.claim(session, Stage.INDEX, now=self.clock(), worker="w", settings=SETTINGS, limit=limit)

    def finish(self, claims: list[Claim]) -> list[Claim]:
        with self.database.session() as session:
            return work_ends.finish(session, claims, now=self.clock())

    def fail(self, claim: Claim, **more: bool) -> bool:
        with self.database.session() as session:
            return work_ends.fail(
                session, claim, code="boom", reason="it broke", now=self.clock(), settings=SETTINGS, **more
            )

    def reclaim(self) -> int:
        with self.database.session() as session:
            return work.reclaim(session, now=self.clock(), settings=SETTINGS)

    def counts(self) -> tuple[int, int, int]:
        with self.database.session() as session:
            row = next(row for row in work.backlog(session) if row.stage == Stage.INDEX)
        return row.waiting, row.running, row.failed


def test_oldest_first_and_never_twice(table: Table) -> None:
    first = table.add(3)
    table.clock.forward(seconds=1)
    second = table.add(3)
    assert [held.post_id for held in table.claim(4)] == [*first, second[0]]
    assert [held.post_id for held in table.claim()] == second[1:]
    assert table.claim() == []


def test_done_work_leaves_no_row(table: Table) -> None:
    table.add(2)
    assert table.finish(table.claim()) == []
    assert table.counts() == (0, 0, 0)


def test_asked_for_again_while_it_runs_it_runs_again(table: Table) -> None:
    ids = table.add()
    claims = table.claim()
    table.add(ids=ids)
    assert table.claim() == []  # not while the first run holds it
    assert table.finish(claims) == []
    assert [held.generation for held in table.claim()] == [2]


def test_failures_wait_longer_each_time_and_end(table: Table) -> None:
    table.add()
    for pause in (2, 4):
        assert not table.fail(table.claim()[0])
        table.clock.forward(seconds=pause - 0.5)
        assert table.claim() == []
        table.clock.forward(seconds=0.5)
    assert table.fail(table.claim()[0])
    assert table.counts() == (0, 0, 1)


def test_what_cannot_be_mended_is_given_up_at_once(table: Table) -> None:
    table.add()
    assert table.fail(table.claim()[0], retryable=False)
    assert table.counts() == (0, 0, 1)


def test_failed_work_can_be_tried_again(table: Table) -> None:
    ids = table.add()
    table.fail(table.claim()[0], retryable=False)
    with table.database.session() as session:
        assert work.retry(session, now=table.clock(), post_ids=[uuid4()]) == 0
        assert work.retry(session, now=table.clock(), post_ids=ids) == 1
    assert table.claim()[0].attempts == 1


def test_a_dead_workers_posts_come_back_one_at_a_time(table: Table) -> None:
    table.add(3)
    lost = table.claim()
    table.clock.forward(seconds=61)
    assert table.reclaim() == 3
    fresh = table.add(2)
    assert [held.post_id for held in table.claim()] == fresh  # the healthy ones first, together
    assert len(table.claim()) == 1
    assert table.finish(lost) == lost  # too late: nothing of it counts


def test_a_post_that_kills_its_worker_is_given_up(table: Table) -> None:
    table.add()
    for _ in range(SETTINGS.max_attempts):
        assert len(table.claim()) == 1
        table.clock.forward(seconds=61)
        table.reclaim()
    assert table.counts() == (0, 0, 1)


def test_an_orderly_stop_counts_as_no_attempt(table: Table) -> None:
    table.add()
    with table.database.session() as session:
        work_ends.release(session, table.claim(), now=table.clock())
    assert table.claim()[0].attempts == 1


def test_two_workers_share_without_overlap(table: Table) -> None:
    ids = table.add(40)
    taken: list[UUID] = []
    lock = threading.Lock()

    def run() -> None:
        while claims := table.claim(5):
            with lock:
                taken.extend(held.post_id for held in claims)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(ids)


def test_nothing_asked_for_is_nothing_done(table: Table) -> None:
    with table.database.session() as session:
        work.add(session, Stage.INDEX, [], now=table.clock(), request_id=None)
    assert table.claim() == []
    assert table.counts() == (0, 0, 0)
