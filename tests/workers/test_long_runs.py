"""Long runs: one worker at a time, seen, cancelled, resumed from the checkpoint."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from postscope.backend import runs
from postscope.backend.auth import Caller, Role
from postscope.backend.errors import Conflict, Invalid, NotFound
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Run
from postscope.workers.long_runs import work_runs
from postscope.workers.run_context import RunContext, Runner
from tests.conftest import SetClock

ANALYST = Caller(UUID(int=1), "ada", frozenset({Role.ANALYST}))
PRODUCT = Caller(UUID(int=2), "bob", frozenset({Role.PRODUCT}))


def ask(runtime: Runtime, kind: str = "count", *, exclusive: str | None = None) -> UUID:
    with runtime.database.session() as session:
        run = runs.start(
            session, kind, {"to": 5}, actor="ada", readers=[Role.ANALYST], now=runtime.clock(), exclusive=exclusive
        )
        return run.id


def see(runtime: Runtime, run_id: UUID) -> Run:
    with runtime.database.session() as session:
        return runs.get(session, run_id, ANALYST)


def work(runtime: Runtime, runner: Runner, **options: Any) -> int:
    return work_runs(runtime, runners={"count": runner}, **options)


def counting(seen: list[int]) -> Runner:
    def run(_: Runtime, context: RunContext) -> dict[str, Any]:
        start = (context.checkpoint or {}).get("after", 0)
        for n in range(start, context.params["to"]):
            seen.append(n)
            context.report(n + 1, context.params["to"], "counting", {"after": n + 1})
        return {"counted": context.params["to"]}

    return run


def test_a_run_is_worked_off_and_says_what_came_of_it(runtime: Runtime) -> None:
    seen: list[int] = []
    run_id = ask(runtime)
    assert work(runtime, counting(seen)) == 1
    run = see(runtime, run_id)
    assert (run.state, run.done, run.total, run.result) == ("done", 5, 5, {"counted": 5})
    assert run.finished_at is not None
    assert work(runtime, counting(seen)) == 0


def test_a_kind_that_nobody_knows_waits(runtime: Runtime) -> None:
    run_id = ask(runtime, "other")
    assert work(runtime, counting([])) == 0
    assert see(runtime, run_id).state == "waiting"


def test_a_stop_hands_it_back_and_it_goes_on_from_the_checkpoint(runtime: Runtime) -> None:
    seen: list[int] = []
    run_id = ask(runtime)
    work(runtime, counting(seen), stop=lambda: len(seen) >= 2)
    assert see(runtime, run_id).state == "waiting"
    work(runtime, counting(seen))
    assert seen == [0, 1, 2, 3, 4]
    assert (see(runtime, run_id).state, see(runtime, run_id).attempts) == ("done", 1)


def test_a_dead_workers_run_is_taken_over(runtime: Runtime, clock: SetClock) -> None:
    run_id = ask(runtime)
    with runtime.database.session() as session:
        dead = runs.claim(session, ["count"], now=clock(), worker="dead:1")
        assert dead is not None
        assert dead.lease_token is not None
        runs.report(session, run_id, dead.lease_token, runs.Progress(3, 5, checkpoint={"after": 3}), now=clock())
    clock.forward(seconds=runs.LEASE_SECONDS + 1)
    with runtime.database.session() as session:
        assert runs.reclaim(session, now=clock()) == 1
    seen: list[int] = []
    work(runtime, counting(seen))
    assert seen == [3, 4]
    with runtime.database.session() as session, pytest.raises(runs.RunStopped):
        runs.report(session, run_id, dead.lease_token, None, now=clock())


def test_a_run_that_kills_every_worker_is_given_up(runtime: Runtime, clock: SetClock) -> None:
    run_id = ask(runtime)
    for _ in range(runs.MAX_ATTEMPTS):
        with runtime.database.session() as session:
            assert runs.claim(session, ["count"], now=clock(), worker="dead:1") is not None
        clock.forward(seconds=runs.LEASE_SECONDS + 1)
        with runtime.database.session() as session:
            runs.reclaim(session, now=clock())
    run = see(runtime, run_id)
    assert (run.state, run.error_code) == ("failed", "worker_lost")


def test_cancel_ends_a_waiting_run_at_once(runtime: Runtime) -> None:
    run_id = ask(runtime)
    with runtime.database.session() as session:
        runs.cancel(session, run_id, ANALYST, now=runtime.clock())
    assert work(runtime, counting([])) == 0
    assert see(runtime, run_id).state == "cancelled"
    with runtime.database.session() as session, pytest.raises(Conflict):
        runs.cancel(session, run_id, ANALYST, now=runtime.clock())


def test_cancel_ends_a_running_run_at_its_next_look(runtime: Runtime) -> None:
    run_id = ask(runtime)

    def cancelled_half_way(_: Runtime, context: RunContext) -> dict[str, Any]:
        context.report(1, 5)
        with runtime.database.session() as session:
            runs.cancel(session, run_id, ANALYST, now=runtime.clock())
        context.report(2, 5)
        raise AssertionError("it went on")

    work(runtime, cancelled_half_way)
    assert see(runtime, run_id).state == "cancelled"


def test_a_failure_keeps_its_reason(runtime: Runtime) -> None:
    ours, theirs = ask(runtime), ask(runtime)
    errors = iter([Invalid.of("to", "must be even"), RuntimeError("it broke")])

    def fail(*_: object) -> None:
        raise next(errors)

    work(runtime, fail)
    assert see(runtime, ours).state == see(runtime, theirs).state == "failed"
    assert "must be even" in (see(runtime, ours).error or "")
    assert see(runtime, theirs).error == "it broke"


def test_of_exclusive_runs_one_waits_or_runs(runtime: Runtime) -> None:
    first = ask(runtime, exclusive="count:a")
    with pytest.raises(Conflict):
        ask(runtime, exclusive="count:a")
    ask(runtime, exclusive="count:b")
    work(runtime, counting([]))
    assert see(runtime, first).state == "done"
    ask(runtime, exclusive="count:a")


def test_others_see_nothing_of_it(runtime: Runtime) -> None:
    run_id = ask(runtime)
    with runtime.database.session() as session:
        assert [run.id for run in runs.recent(session, ANALYST)] == [run_id]
        assert runs.recent(session, PRODUCT) == []
        with pytest.raises(NotFound):
            runs.get(session, run_id, PRODUCT)
