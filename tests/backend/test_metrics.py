"""Figures: by template and never by path, the backlog as it is at the scrape, each process its own."""

from __future__ import annotations

import urllib.request
from datetime import timedelta
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from postscope.backend.auth import Role
from postscope.backend.metrics import Metrics
from postscope.backend.work import Backlog
from tests.conftest import ApiKeyMaker, SetClock, bearer
from tests.servers import free_port


def figures(exposition: bytes | str) -> dict[tuple[str, ...], float]:
    text = exposition.decode() if isinstance(exposition, bytes) else exposition
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_counted() -> None:
    metrics = Metrics()
    metrics.posts_accepted(500)
    metrics.posts_accepted(0)
    metrics.work_done("index", 64, 0.5)
    metrics.work_failed("index", 2)
    metrics.observe_search("hybrid", 0.02)
    metrics.rate_limit_unavailable()
    found = figures(metrics.exposition())
    assert found["postscope_posts_accepted_total",] == 500
    assert found["postscope_work_done_total", "index"] == 64
    assert found["postscope_work_failed_total", "index"] == 2
    assert found["postscope_batch_seconds_sum", "index"] == 0.5
    assert found["postscope_search_seconds_count", "hybrid"] == 1
    assert found["postscope_rate_limit_unavailable_total",] == 1
    assert found["process_resident_memory_bytes",] > 0


def test_two_apps_of_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.posts_accepted(1)
    assert figures(other.exposition())["postscope_posts_accepted_total",] == 0


def test_the_backlog_is_read_at_the_scrape(clock: SetClock) -> None:
    rows: list[Backlog] = []
    metrics = Metrics()
    metrics.watch_backlog(lambda: rows, clock)
    assert ("postscope_backlog", "index", "waiting") not in figures(metrics.exposition())
    rows.append(Backlog("index", waiting=7, running=2, failed=1, oldest=clock() - timedelta(seconds=90)))
    rows.append(Backlog("erase", waiting=0, running=0, failed=0, oldest=None))
    found = figures(metrics.exposition())
    assert found["postscope_backlog", "index", "waiting"] == 7
    assert found["postscope_backlog", "index", "failed"] == 1
    assert found["postscope_backlog_age_seconds", "index"] == 90
    assert found["postscope_backlog_age_seconds", "erase"] == 0
    assert found["postscope_backlog_readable",] == 1


def test_a_backlog_that_cannot_be_read_takes_no_other_figure_along(clock: SetClock) -> None:
    def broken() -> list[Backlog]:
        raise ConnectionError("no database")

    metrics = Metrics()
    metrics.watch_backlog(broken, clock)
    metrics.posts_accepted(3)
    found = figures(metrics.exposition())
    assert found["postscope_backlog_readable",] == 0
    assert found["postscope_posts_accepted_total",] == 3


def test_requests_are_counted_by_template(client: TestClient, api_key: ApiKeyMaker) -> None:
    headers = bearer(api_key(Role.ADMIN))
    for _ in range(3):
        client.delete(f"/v1/keys/{uuid4()}", headers=headers)
    for n in range(3):
        client.get(f"/nowhere/{n}")
    client.request("BREW", "/healthz")
    text = client.get("/metrics", headers=headers).text
    found = figures(text)
    assert found["postscope_request_seconds_count", "DELETE", "/v1/keys/{key_id}", "404"] == 3
    assert found["postscope_request_seconds_count", "GET", "unmatched", "404"] == 3
    assert "nowhere" not in text
    assert "BREW" not in text
    assert found["postscope_backlog", "index", "waiting"] == 0


@pytest.mark.parametrize(("role", "status"), [(Role.ADMIN, 200), (Role.ANALYST, 200), (Role.INGEST, 403)])
def test_who_may_see_them(client: TestClient, api_key: ApiKeyMaker, role: Role, status: int) -> None:
    answer = client.get("/metrics", headers=bearer(api_key(role)))
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["content-type"].startswith("text/plain")


def test_a_process_without_the_api_answers_on_a_port_of_its_own() -> None:
    metrics = Metrics()
    metrics.work_done("index", 5, 0.1)
    port = free_port()
    stop = metrics.serve(port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert figures(answer.read())["postscope_work_done_total", "index"] == 5
    finally:
        stop()
    stop_again = metrics.serve(port)  # the port is free again
    stop_again()
