"""The bell of the workers when Redis goes away and comes back."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from postscope.backend import jobs
from postscope.backend.jobs import CeleryBell
from postscope.backend.work import Stage
from postscope.workers.app import create_celery
from postscope.workers.stages import OUTAGES
from tests.servers import RedisServer


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stages whose message could not be sent."""
    stages: list[str] = []

    class Log:
        def warning(self, _event: str, **what: Any) -> None:
            stages.append(what["stage"])

    monkeypatch.setattr(jobs, "log", Log())
    return stages


def waiting(server: RedisServer) -> int:
    with redis.Redis(port=server.port) as client:
        return int(client.llen(Stage.INDEX.value))  # type: ignore[arg-type]


def test_while_redis_is_down_it_is_not_asked_for_every_post(warned: list[str]) -> None:
    with RedisServer() as server:
        bell = CeleryBell(server.url, rest_seconds=3_600)
        bell.ring(Stage.INDEX)
        assert waiting(server) == 1
        server.stop()
        for stage in (Stage.INDEX, Stage.EXTRACT, Stage.UNDERSTAND, Stage.INDEX):
            bell.ring(stage)
        assert warned == ["index"]


def test_a_redis_that_comes_back_is_rung_again(warned: list[str]) -> None:
    with RedisServer() as server:
        bell = CeleryBell(server.url, rest_seconds=0.0)
        server.stop()
        bell.ring(Stage.INDEX)
        assert warned == ["index"]
        server.start()
        bell.ring(Stage.INDEX)
        assert (waiting(server), warned) == (1, ["index"])


def test_what_is_down_is_no_surprise_to_any_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSCOPE_QUEUE__URL", "redis://127.0.0.1:1/0")
    tasks = create_celery().tasks
    ours = [name for name in tasks if name.startswith("postscope.")]
    assert len(ours) == 4
    for name in ours:  # Celery tells of these in one line; of all else with a trace
        assert tasks[name].throws == OUTAGES
