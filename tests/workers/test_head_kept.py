"""What a training has made stays, and holds back nobody: killed behind it, in other hands, or with MLflow silent."""

from __future__ import annotations

import os
import socket
import time
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from postscope.backend.heads import registry, tracking
from postscope.backend.tables import Head, Run
from postscope.workers import head_training
from tests.workers.conftest import Desk
from tests.workers.test_heads import Api, api, judgements, run_all, write

__all__ = ["api"]


def asked(desk: Desk, api: Api) -> dict[str, Any]:
    api.ok("POST", "/v1/heads/sentiment/judgements", judgements(write(desk, 60)))
    run: dict[str, Any] = api.ok("POST", "/v1/heads/sentiment/train")
    return run


def states(api: Api) -> list[str]:
    return [version["state"] for version in api.ok("GET", "/v1/heads/sentiment")["versions"]]


def dies(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("last_seen", "before"), [("_promote", "candidate"), ("log_training", "live")])
def test_a_run_that_is_killed_behind_its_training_goes_on_with_what_it_made(
    desk: Desk, api: Api, monkeypatch: pytest.MonkeyPatch, last_seen: str, before: str
) -> None:
    run = asked(desk, api)
    with monkeypatch.context() as killing:
        killing.setattr(head_training if last_seen == "_promote" else tracking, last_seen, dies)
        with pytest.raises(KeyboardInterrupt):
            run_all(desk.runtime)
    assert states(api) == [before]
    run_all(desk.runtime)
    assert states(api) == ["live"], "and no second one was made"
    ended = api.ok("GET", f"/v1/runs/{run['id']}")
    assert ended["state"] == "done"
    assert {name: ended["result"][name] for name in ("version", "posts", "left_out", "live")} == {
        "version": 1, "posts": 60, "left_out": {}, "live": True,
    }  # fmt: skip


def test_a_version_goes_live_before_mlflow_hears_of_it(desk: Desk, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def log(*_: Any) -> bool:
        seen.extend(states(api))
        return True

    monkeypatch.setattr(tracking, "log_training", log)
    asked(desk, api)
    run_all(desk.runtime)
    assert seen == ["live"]


@pytest.mark.parametrize(
    ("changed", "state"), [({"lease_token": uuid4()}, "running"), ({"cancel_asked": True}, "cancelled")]
)
def test_of_a_run_that_was_lost_or_cancelled_at_its_end_nothing_is_kept(
    desk: Desk, api: Api, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], state: str
) -> None:
    run = asked(desk, api)
    number = registry.next_number

    def late(session: Session, head: Head) -> int:
        with desk.runtime.database.session() as other:
            other.query(Run).update(changed)
        return number(session, head)

    monkeypatch.setattr(registry, "next_number", late)
    run_all(desk.runtime)
    assert states(api) == []
    assert api.ok("GET", f"/v1/runs/{run['id']}")["state"] == state


def test_mlflow_that_does_not_answer_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        monkeypatch.setitem(tracking.PATIENCE, "MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        started = time.monotonic()
        assert not tracking.log_training("sentiment", 1, {"recipe": "", "posts": 1, "held_out": {}}, b"")
    assert time.monotonic() - started < 60, "the library alone asks for a quarter of an hour"
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" not in os.environ


def test_how_long_mlflow_is_waited_for_is_what_the_operator_says(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str | None] = {}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "99")
    monkeypatch.setattr(
        tracking, "_log", lambda *_: seen.update({name: os.environ[name] for name in tracking.PATIENCE})
    )
    assert tracking.log_training("sentiment", 1, {}, b"")
    assert seen == {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "99"}
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "99"
