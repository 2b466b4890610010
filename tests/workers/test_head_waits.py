"""Trainings that nobody asked for and that ended without a version wait, and it is seen that they do."""

from __future__ import annotations

from typing import Any

from postscope.backend.tables import HeadVersion, Run
from postscope.workers.head_upkeep import KIND as WATCH
from tests.conftest import SetClock
from tests.workers.conftest import Desk
from tests.workers.test_head_precision import corrected
from tests.workers.test_head_schedule import look, scheduled
from tests.workers.test_heads import Api, api, judgements, run_all, trained, write

__all__ = ["api"]


def told(api: Api) -> dict[str, Any]:
    """What the last look said of the head."""
    (run,) = api.ok("GET", f"/v1/runs?kind={WATCH}&limit=1")["runs"]
    found: dict[str, Any] = run["result"]["heads"]["sentiment"]
    return found


def waits(api: Api) -> Any:
    (head,) = api.ok("GET", "/v1/heads")["heads"]
    return head["waits"]


def causes(api: Api) -> list[str]:
    """What trainings were for, the oldest first."""
    return [run["params"]["cause"] for run in reversed(api.ok("GET", "/v1/runs?kind=heads.train")["runs"])]


def of_another_space(desk: Desk) -> None:
    with desk.runtime.database.session() as session:
        session.query(HeadVersion).update({HeadVersion.space_id: "another-space"})


def test_a_training_for_a_new_space_that_failed_waits_a_day_and_says_so(desk: Desk, api: Api, clock: SetClock) -> None:
    trained(desk, api, 60)
    api.ok("PATCH", "/v1/heads/sentiment", {"window_days": 0.01})
    of_another_space(desk)
    assert look(desk) == 2, "a look, and a training that finds nothing in its window"
    assert causes(api) == ["asked", "space"]
    failed = waits(api)
    assert (failed["cause"], failed["because"], failed["until"]) == ("space", "failed", "2026-03-03T12:00:00Z")
    assert "nothing to learn from" in failed["reason"]
    assert api.ok("GET", f"/v1/runs/{failed['run_id']}")["error_code"] == "no_labels"
    for _ in range(3):
        clock.forward(hours=7)
        assert look(desk) == 1, "a look alone"
        assert (told(api)["waits_for"], told(api)["failed_waits_until"]) == ("space", "2026-03-03T12:00:00+00:00")
        assert told(api)["trained_again_for"] is None
    clock.forward(hours=4)
    assert look(desk) == 1, "a day later it is tried again, without waiting for a look"
    assert causes(api) == ["asked", "space", "space"]
    api.ok("PATCH", "/v1/heads/sentiment", {"window_days": None})
    api.ok("POST", "/v1/heads/sentiment/train")
    assert run_all(desk.runtime) == 1, "a person does not wait"
    assert waits(api) is None


def test_a_failure_for_one_space_holds_back_no_other(desk: Desk, api: Api, clock: SetClock) -> None:
    trained(desk, api, 60)
    api.ok("PATCH", "/v1/heads/sentiment", {"window_days": 0.01})
    of_another_space(desk)
    look(desk)
    with desk.runtime.database.session() as session:
        for run in session.query(Run).filter(Run.state == "failed"):
            run.params = run.params | {"space": "a third space"}
    api.ok("PATCH", "/v1/heads/sentiment", {"window_days": None})
    assert look(desk) == 1
    (head,) = api.ok("GET", "/v1/heads")["heads"]
    assert (head["live"], head["stale"], head["waits"]) == (2, False, None)


def test_a_new_space_is_learned_without_waiting_for_the_next_look(desk: Desk, api: Api, clock: SetClock) -> None:
    trained(desk, api, 60)
    assert look(desk) == 1
    of_another_space(desk)
    clock.forward(minutes=1)
    assert look(desk) == 1, "a training, and no look"
    assert causes(api) == ["asked", "space"]
    assert not api.ok("GET", "/v1/heads")["heads"][0]["stale"]


def doubted(desk: Desk, api: Api, clock: SetClock) -> None:
    """Doubt of a head that has learned from its corrections already, so that there is nothing new to learn."""
    corrected(desk, api, clock, 40, wrong=24)
    assert run_all(desk.runtime) == 2, "a look and a training"
    with desk.runtime.database.session() as session:  # it is no better, as where people judge at random
        session.query(HeadVersion).filter_by(number=1).update({"state": "retired"})
        session.flush()
        session.query(HeadVersion).filter_by(number=2).update({"state": "candidate"})
        session.flush()
        session.query(HeadVersion).filter_by(number=1).update({"state": "live"})
    clock.forward(hours=21)
    assert look(desk) == 2
    assert [version["number"] for version in api.ok("GET", "/v1/heads/sentiment")["versions"]] == [2, 1]


def test_while_drift_lasts_what_has_nothing_new_to_learn_is_not_tried_at_every_look(
    desk: Desk, api: Api, clock: SetClock
) -> None:
    doubted(desk, api, clock)
    assert causes(api) == ["asked", "drift", "drift"]
    for hours in (7, 7):
        clock.forward(hours=hours)
        assert look(desk) == 1, "a look alone"
        assert (told(api)["trained_again_for"], told(api)["waits_for"]) == (None, "drift")
        assert "unchanged_waits_until" in told(api)
        assert told(api)["precision"] == 0.4, "the doubt stays to be seen"
        assert (waits(api)["cause"], waits(api)["because"], waits(api)["reason"]) == ("drift", "unchanged", None)
    assert 'postscope_head_precision{head="sentiment"} 0.4' in api.call("GET", "/metrics").text
    assert len(api.ok("GET", "/v1/heads/sentiment/drift")["measurements"]) == 4
    clock.forward(hours=7)
    assert look(desk) == 2, "20 hours are over"
    assert causes(api) == ["asked", "drift", "drift", "drift"]


def test_what_is_judged_meanwhile_ends_the_wait(desk: Desk, api: Api, clock: SetClock) -> None:
    doubted(desk, api, clock)
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(write(desk, 3, start=2_000)))
    clock.forward(hours=7)
    assert look(desk) == 2, "a look, and a training that learns something new"
    newest = api.ok("GET", "/v1/heads/sentiment")["versions"][0]
    assert (newest["number"], newest["cause"], newest["posts"]) == (3, "drift", 133)
    assert waits(api) is None


def test_a_schedule_that_finds_nothing_new_is_met_until_it_is_due_again(desk: Desk, api: Api, clock: SetClock) -> None:
    scheduled(desk, api, retrain_days=2)
    clock.forward(hours=49)
    assert look(desk) == 2
    assert (waits(api)["because"], waits(api)["until"]) == ("unchanged", "2026-03-06T13:00:00Z")
    clock.forward(hours=40)
    assert look(desk) == 1, "a look alone"
    edited = {"external_id": "0", "text": "an edited, awful, terrible thing"}
    desk.post(edited)
    desk.run()
    clock.forward(hours=7)
    assert look(desk) == 2, "a post says something else now"
    assert causes(api) == ["asked", "schedule", "schedule"]
    assert len(api.ok("GET", "/v1/heads/sentiment")["versions"]) == 2


def test_a_training_by_upkeep_that_a_person_cancelled_is_not_started_again_at_once(
    desk: Desk, api: Api, clock: SetClock
) -> None:
    scheduled(desk, api, retrain_days=2)
    clock.forward(hours=49)
    from postscope.workers.head_upkeep import watch_heads
    from postscope.workers.long_runs import work_runs
    from postscope.workers.maintain import sweep

    sweep(desk.runtime)
    work_runs(desk.runtime, runners={WATCH: watch_heads})
    (run,) = api.ok("GET", "/v1/runs?kind=heads.train&state=waiting")["runs"]
    api.ok("POST", f"/v1/runs/{run['id']}/cancel")
    clock.forward(hours=7)
    assert look(desk) == 1, "a look alone"
    assert (waits(api)["because"], waits(api)["until"]) == ("cancelled", "2026-03-05T13:00:00Z")
