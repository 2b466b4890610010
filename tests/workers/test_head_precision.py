"""What people correct counts before enough posts came in to compare distributions."""

from __future__ import annotations

from uuid import UUID

import pytest

from postscope.backend.work import Stage
from postscope.workers.head_upkeep import KIND as WATCH
from postscope.workers.head_upkeep import watch_heads
from postscope.workers.long_runs import work_runs
from postscope.workers.maintain import sweep
from tests.conftest import SetClock
from tests.workers.conftest import Desk
from tests.workers.test_head_schedule import look
from tests.workers.test_heads import Api, api, judgements, run_all, trained, write

__all__ = ["api"]

OTHER = {"positive": "negative", "negative": "neutral", "neutral": "positive"}


def corrected(desk: Desk, api: Api, clock: SetClock, count: int, wrong: int) -> None:
    """A trained head, some new posts that it was not taught, and what people said of them a day later."""
    trained(desk, api)
    seen = write(desk, count, start=1_000)
    desk.run(Stage.ENRICH)
    clock.forward(hours=21)
    said: dict[UUID, str] = {id: OTHER[label] if n < wrong else label for n, (id, label) in enumerate(seen.items())}
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(said, correction=True))
    sweep(desk.runtime)


def test_a_head_that_people_disagree_with_is_trained_again_however_few_posts_it_saw(
    desk: Desk, api: Api, clock: SetClock
) -> None:
    corrected(desk, api, clock, 40, wrong=24)
    assert work_runs(desk.runtime, runners={WATCH: watch_heads}) == 1
    (measured,) = api.ok("GET", "/v1/heads/sentiment/drift")["measurements"]
    assert (measured["embedding"], measured["score"], measured["drifted"]) == (None, None, False)
    assert (measured["posts"], measured["judged"], measured["precision"]) == (40, 40, pytest.approx(0.4))
    (look,) = api.ok("GET", f"/v1/runs?kind={WATCH}")["runs"]
    told = look["result"]["heads"]["sentiment"]
    assert (told["measured"], told["embedding"], told["trained_again_for"]) == (True, None, "drift")
    metrics = api.call("GET", "/metrics").text
    assert 'postscope_head_precision{head="sentiment"} 0.4' in metrics
    assert "postscope_head_drift{" not in metrics, "nothing is said of what is not known"
    assert run_all(desk.runtime) == 1
    newest = api.ok("GET", "/v1/heads/sentiment")["versions"][0]
    assert (newest["number"], newest["cause"], newest["posts"]) == (2, "drift", 130)


@pytest.mark.parametrize(("count", "wrong", "precision"), [(40, 10, [0.75]), (29, 29, [])])
def test_agreement_is_noted_and_a_few_corrections_tell_nothing(
    desk: Desk, api: Api, clock: SetClock, count: int, wrong: int, precision: list[float]
) -> None:
    corrected(desk, api, clock, count, wrong)
    assert run_all(desk.runtime) == 1, "a look, and no training"
    measurements = api.ok("GET", "/v1/heads/sentiment/drift")["measurements"]
    assert [measured["precision"] for measured in measurements] == pytest.approx(precision)


def test_a_training_after_doubt_that_failed_is_tried_again_a_day_later(desk: Desk, api: Api, clock: SetClock) -> None:
    corrected(desk, api, clock, 40, wrong=24)
    api.ok("PATCH", "/v1/heads/sentiment", {"window_days": 0.01})
    assert run_all(desk.runtime) == 2, "a look, and a training that finds nothing in its window"
    clock.forward(hours=20)
    assert look(desk) == 1, "a look alone"
    clock.forward(hours=7)
    assert look(desk) == 2
    failed = api.ok("GET", "/v1/runs?kind=heads.train&state=failed")["runs"]
    assert [run["params"]["cause"] for run in failed] == ["drift", "drift"]
