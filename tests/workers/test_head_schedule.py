"""Heads that are trained again by time, over a window that moves with it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from postscope.backend.tables import HeadVersion
from postscope.workers.maintain import sweep
from tests.conftest import SetClock
from tests.workers.conftest import Desk
from tests.workers.test_heads import Api, api, judgements, run_all, write

__all__ = ["api"]


def versions(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.ok("GET", "/v1/heads/sentiment")["versions"]
    return found


def look(desk: Desk) -> int:
    sweep(desk.runtime)
    return run_all(desk.runtime)


def test_a_head_is_trained_again_when_it_is_due_over_what_is_still_in_its_window(
    desk: Desk, api: Api, clock: SetClock
) -> None:
    """Hours are enough: what holds back trainings after drift does not hold back a schedule."""
    api.ok("PATCH", "/v1/heads/sentiment", {"window_days": 20, "retrain_days": 0.5})
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(write(desk, 168)))
    api.ok("POST", "/v1/heads/sentiment/train")
    run_all(desk.runtime)
    assert look(desk) == 1, "a look, and nothing is due"
    clock.forward(hours=7)
    assert look(desk) == 1, "nor is it now"
    clock.forward(hours=7)
    assert look(desk) == 2, "a look and a training"
    second, first = versions(api)
    assert (second["number"], second["cause"], second["actor"]) == (2, "schedule", "upkeep")
    assert {first["state"], second["state"]} <= {"live", "candidate", "retired"}
    assert datetime.fromisoformat(second["window_from"]) > datetime.fromisoformat(first["window_from"])
    assert second["posts"] < first["posts"] < 168
    clock.forward(hours=7)
    assert look(desk) == 1, "the new version is not due yet, live or not"


def test_what_has_nothing_new_to_learn_makes_no_version(desk: Desk, api: Api, clock: SetClock) -> None:
    feelings = write(desk, 90)
    api.ok("PATCH", "/v1/heads/sentiment", {"retrain_days": 0.5})
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(feelings))
    api.ok("POST", "/v1/heads/sentiment/train")
    run_all(desk.runtime)
    clock.forward(hours=13)
    assert look(desk) == 2, "a look and a training"
    (run,) = api.ok("GET", "/v1/runs?kind=heads.train&limit=1")["runs"]
    assert (run["state"], run["result"]["unchanged"], run["result"]["version"]) == ("done", True, 1)
    assert [version["number"] for version in versions(api)] == [1]
    first = next(iter(feelings))
    desk.post({"external_id": "0", "text": "an edited, awful, terrible thing"})
    desk.run()
    clock.forward(hours=7)
    assert look(desk) == 2
    assert len(versions(api)) == 2, "a post says something else now"
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements({first: "negative"}))
    clock.forward(hours=13)
    assert look(desk) == 2
    assert len(versions(api)) == 3, "people say something else now"


def test_a_training_that_failed_is_not_tried_again_at_every_look_unless_a_person_asks(
    desk: Desk, api: Api, clock: SetClock
) -> None:
    scheduled(desk, api, window_days=40, retrain_days=40)
    clock.forward(hours=24 * 41)
    assert look(desk) == 2, "a look, and a training that finds nothing in its window"
    assert failures(api) == ["schedule"]
    clock.forward(hours=17)
    assert look(desk) == 1, "a look alone"
    (waits,) = api.ok("GET", "/v1/runs?kind=heads.watch&limit=1")["runs"]
    told = waits["result"]["heads"]["sentiment"]
    assert (told["trained_again_for"], told["failed_waits_until"]) == (None, "2026-04-13T12:00:00+00:00")
    api.ok("POST", "/v1/heads/sentiment/train")
    assert run_all(desk.runtime) == 1, "a person does not wait"
    clock.forward(hours=8)
    assert look(desk) == 2, "a day after the scheduled one failed; that a person's did as well is no reason to wait"
    assert failures(api) == ["schedule", "asked", "schedule"]


def test_a_short_schedule_waits_no_longer_than_itself_after_a_failure(desk: Desk, api: Api, clock: SetClock) -> None:
    scheduled(desk, api, window_days=40, retrain_days=0.5)
    clock.forward(hours=24 * 41)
    assert look(desk) == 2
    clock.forward(hours=7)
    assert look(desk) == 1
    clock.forward(hours=6)
    assert look(desk) == 2
    assert failures(api) == ["schedule", "schedule"]


def scheduled(desk: Desk, api: Api, **when: float) -> None:
    api.ok("PATCH", "/v1/heads/sentiment", when)
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(write(desk, 60)))
    api.ok("POST", "/v1/heads/sentiment/train")
    assert run_all(desk.runtime) == 1
    assert [version["state"] for version in versions(api)] == ["live"]


def failures(api: Api) -> list[str]:
    """What the trainings that failed were for, the oldest first."""
    found = api.ok("GET", "/v1/runs?kind=heads.train&state=failed")["runs"]
    assert {run["error_code"] for run in found} == {"no_labels"}
    return [run["params"]["cause"] for run in reversed(found)]


def test_what_is_not_scheduled_is_not_trained_by_time(desk: Desk, api: Api, clock: SetClock) -> None:
    api.ok("PATCH", "/v1/heads/sentiment", {"retrain_days": 1})
    assert api.ok("PATCH", "/v1/heads/sentiment", {"window_days": 300})["retrain_days"] == 1
    changed = api.ok("PATCH", "/v1/heads/sentiment", {"retrain_days": None})
    assert (changed["window_days"], changed["retrain_days"]) == (300, None)
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(write(desk, 60)))
    api.ok("POST", "/v1/heads/sentiment/train")
    run_all(desk.runtime)
    clock.forward(hours=24 * 90)
    assert look(desk) == 1
    with desk.runtime.database.session() as session:
        assert session.query(HeadVersion).count() == 1


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("sentiment", {}, 422),
        ("sentiment", {"retrain_days": 0}, 422),
        ("sentiment", {"window_days": 1e300}, 422),
        ("sentiment", {"name": "other"}, 422),
        ("nothing", {"retrain_days": 1}, 404),
    ],
)
def test_a_schedule_that_cannot_be_changes_nothing(api: Api, name: str, body: dict[str, Any], status: int) -> None:
    assert api.call("PATCH", f"/v1/heads/{name}", body).status_code == status
    assert api.ok("GET", "/v1/heads")["heads"] == []
