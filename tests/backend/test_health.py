"""Liveness, readiness and what readiness tells strangers."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from postscope import __version__
from postscope.backend.app import create_app
from postscope.backend.database import Database
from postscope.backend.errors import NotReady
from postscope.backend.health import Readiness
from postscope.backend.runtime import Runtime
from postscope.backend.settings import Settings
from tests.conftest import SetClock, bearer
from tests.servers import free_port


def readiness(fresh: float = 0.0, timeout: float = 5.0, **checks: Callable[[], None]) -> Readiness:
    return Readiness(checks, fresh_seconds=fresh, timeout_seconds=timeout)


def well() -> None:
    pass


def fail(code: str, detail: str = "secret-host:5432 does not answer") -> Callable[[], None]:
    def check() -> None:
        raise NotReady(detail, code=code)

    return check


def test_healthz_needs_no_key_and_tells_the_version(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "version": __version__}


def test_all_is_well() -> None:
    readiness(database=well, store=well).verify()


def test_no_checks_at_all() -> None:
    readiness().verify()


def test_every_failing_check_is_named_and_the_first_gives_the_code() -> None:
    with pytest.raises(NotReady) as caught:
        readiness(database=well, store=fail("store_down"), backlog=fail("backlog_old")).verify()
    assert caught.value.code == "store_down"
    assert [(p.field, p.reason) for p in caught.value.problems] == [("store", "store_down"), ("backlog", "backlog_old")]


def test_strangers_learn_the_code_and_nothing_of_the_inside() -> None:
    with pytest.raises(NotReady) as caught:
        readiness(database=fail("database_down")).verify()
    assert "secret-host" not in caught.value.detail


def test_a_check_that_breaks_is_a_part_that_is_down() -> None:
    def broken() -> None:
        raise RuntimeError("not foreseen")

    with pytest.raises(NotReady) as caught:
        readiness(store=broken).verify()
    assert caught.value.code == "store_down"


def test_a_check_that_needs_the_database_says_that_it_is_down() -> None:
    dead = Database(f"postgresql://postscope@127.0.0.1:{free_port()}/postscope")

    def opening() -> None:
        with dead.session() as session:
            session.connection()

    with pytest.raises(NotReady) as caught:
        readiness(model=opening, backlog=opening).verify()
    assert [problem.reason for problem in caught.value.problems] == ["database_down", "database_down"]


def test_a_check_that_hangs_is_started_once_and_counts_when_it_ends() -> None:
    gate, ended = threading.Event(), threading.Event()
    calls: list[None] = []

    def opening() -> None:
        calls.append(None)
        gate.wait(30)
        ended.set()

    ready = readiness(timeout=0.05, model=opening)
    for _ in range(3):
        with pytest.raises(NotReady) as caught:
            ready.verify()
        assert caught.value.code == "model_not_ready"
    assert len(calls) == 1
    gate.set()
    assert ended.wait(30)


def test_an_answer_stands_for_a_while() -> None:
    calls: list[None] = []
    ready = readiness(fresh=60.0, store=lambda: calls.append(None))
    for _ in range(5):
        ready.verify()
    assert len(calls) == 1


def test_readyz_answers_503_as_a_problem(client: TestClient) -> None:
    client.app.state.readiness = Readiness({"store": fail("store_down"), "database": well})  # type: ignore[attr-defined]
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "store_down"
    assert answer.json()["errors"] == [{"field": "store", "reason": "store_down"}]
    assert client.get("/healthz").status_code == 200


def test_who_only_looks_whether_it_is_there_is_answered(client: TestClient) -> None:
    client.app.state.readiness = readiness()  # type: ignore[attr-defined]
    assert client.head("/healthz").status_code == 200
    assert client.head("/readyz").status_code == 200


def test_a_dead_database_is_told_and_liveness_stays(settings: Settings, clock: SetClock) -> None:
    dead = Database(f"postgresql://postscope@127.0.0.1:{free_port()}/postscope")
    with TestClient(create_app(Runtime(settings, dead, clock=clock))) as client:
        client.app.state.readiness = Readiness({"database": dead.ready})  # type: ignore[attr-defined]
        assert client.get("/readyz").json()["code"] == "database_down"
        assert client.get("/healthz").status_code == 200
        for method, path in (("GET", "/v1/posts"), ("POST", "/v1/posts"), ("POST", "/v1/search")):
            answer = client.request(method, path, headers=bearer(f"ps_{'x' * 43}"))
            assert (answer.status_code, answer.json()["code"]) == (503, "database_down"), answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) >= 1
