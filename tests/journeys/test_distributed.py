"""The distributed mode as separate processes: API, workers, runner and beat, over Redis, PostgreSQL and a vector store.

The store is ``tests.qdrant_server``: Qdrant's protocol, not Qdrant's server. Everything else is the real thing.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from postscope.indexing.stores.qdrant import QdrantStore
from tests.journeys.processes import (
    Api,
    Processes,
    admin_key,
    listening_port,
    processes,
    sample_posts,
    wait_for,
    wait_until_up,
)
from tests.servers import RedisServer, TestDatabases

pytestmark = pytest.mark.slow

LEASE_SECONDS = 8
SOURCES = 8
WORKERS = ("worker-1", "worker-2")
RUNNER = "runner"
INDEXED = 'postscope_work_done_total{stage="index"}'
RUN_DONE = 'postscope_runs_ended_total{kind="topics.discover",state="done"}'
RUNNING = "SELECT worker FROM work WHERE stage = 'index' AND state = 'running' AND lease_until > now() LIMIT 1"


@dataclass
class Site:
    """One installation."""

    started: Processes
    redis: RedisServer
    database_url: str
    folder: Path
    store_port: int
    api_port: int
    figures: dict[str, int]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def store_url(self) -> str:
        return f"http://127.0.0.1:{self.store_port}"

    def start_store(self) -> None:
        self.started.start("store", str(self.store_port), str(self.folder / "store"), module="tests.qdrant_server")
        wait_for("the store answers", lambda: answers(f"{self.store_url}/collections"))

    def start(self) -> None:
        """Everything of Postscope's own."""
        self.started.start("api", "serve", "--port", str(self.api_port))
        self.started.start("beat", "beat")
        for name in WORKERS:
            self.start_worker(name)
        wait_until_up(self.url, lambda: self.started.alive("api"))

    def start_worker(self, name: str) -> None:
        """With two processes and a port for their figures."""
        self._start_measured(name, "worker", "--concurrency", "2")

    def start_runner(self) -> None:
        """What does the long runs."""
        self._start_measured(RUNNER, "runner")

    def _start_measured(self, name: str, *arguments: str) -> None:
        settings = self.started.settings
        self.started.settings = settings | {"WORK__METRICS_PORT": str(self.figures[name])}
        self.started.start(name, *arguments)
        self.started.settings = settings

    def indexed(self) -> int:
        """Posts that the workers say they have indexed, all processes together."""
        return sum(self.figure(name, INDEXED) for name in WORKERS)

    def figure(self, name: str, of: str) -> int:
        """What a worker or the runner says; 0 before there is such a figure, or before it answers."""
        return figure(f"http://127.0.0.1:{self.figures[name]}/metrics", of)

    def kill(self) -> None:
        for name in ("api", "beat", *WORKERS):
            self.started.kill(name)

    def kill_a_worker_at_work(self) -> str:
        """kill -9 of a worker that certainly has a batch in its hands; its name."""
        killed: list[str] = []

        def caught() -> bool:
            if (name := self._at_work()) is None:
                return False
            # Held still first, so that the batch cannot be over by the time it dies.
            self.started.signal(name, signal.SIGSTOP)
            if self._at_work() != name:
                self.started.signal(name, signal.SIGCONT)
                return False
            self.started.kill(name)
            killed.append(name)
            return True

        wait_for("a worker is in the middle of a batch", caught, pause=0.005)
        return killed[0]

    def work_left(self) -> list[tuple[str, str, str | None]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute("SELECT stage, state, error FROM work").fetchall()

    def _at_work(self) -> str | None:
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(RUNNING).fetchone()
        return None if row is None else self.started.owner(int(row[0].rpartition(":")[2]))


@pytest.fixture
def site(databases: TestDatabases, data_dir: Path, tmp_path: Path) -> Iterator[Site]:
    database_url = databases.create(empty=True)
    store_port, store_url = listening_port()
    with RedisServer() as redis:
        settings = {
            "MODE": "distributed",
            "DATABASE__URL": database_url,
            "STORE__URL": store_url,
            "QUEUE__URL": redis.url,
            "AUTHOR_KEY": "k" * 40,
            "DATA_DIR": str(data_dir),
            "ENCODER__NAME": "bundled-en",
            "WORK__BATCH": "32",
            "WORK__LEASE_SECONDS": str(LEASE_SECONDS),
            "WORK__SWEEP_SECONDS": "0.5",
            "WORK__RETRY_BASE_SECONDS": "0.2",
        }
        with processes(tmp_path / "logs", settings) as started:
            yield Site(
                started,
                redis,
                database_url,
                tmp_path,
                store_port,
                listening_port()[0],
                {name: listening_port()[0] for name in (*WORKERS, RUNNER)},
            )
    databases.drop(database_url)


def test_nothing_is_lost_or_doubled_whatever_dies(site: Site) -> None:
    site.start_store()
    key = admin_key(site.started.run("migrate"))
    site.start()
    api = Api(site.url, key)
    ids = api.post(sample_posts(40, sources=SOURCES))
    api.wait_until_indexed(ids)
    wait_for("the figures of all worker processes show every post", lambda: site.indexed() >= len(ids))

    ids += api.post(sample_posts(160, sources=SOURCES, start=40))
    dead = site.kill_a_worker_at_work()
    api.wait_until_indexed(ids)  # the other one takes over when the lease has lapsed
    assert any("work_taken_back" in site.started.output(name) for name in WORKERS)
    assert any("stage_done" in site.started.output(name) for name in WORKERS)
    site.start_worker(dead)

    site.redis.stop()
    ids += api.post(sample_posts(40, sources=SOURCES, start=200))  # taken in although no bell rings
    site.redis.start()
    api.wait_until_indexed(ids)

    ids += api.post(sample_posts(120, sources=SOURCES, start=240))
    site.kill()
    site.started.stop("store")
    api.close()
    site.start_store()
    site.start()
    api = Api(site.url, key)
    api.wait_until_indexed(ids)

    wait_for("everything is enriched too", lambda: site.work_left() == [])
    check_searches(site, api, ids)
    check_long_run(site, api, ids)
    gone = ids[::10]
    for post_id in gone:
        api.delete(post_id)
    kept = sorted(set(ids) - set(gone))
    check_searches(site, api, kept, wait=True)
    api.close()


def check_long_run(site: Site, api: Api, ids: list[str]) -> None:
    """A discovery that is asked for while nothing does long runs waits, is begun, loses its process, and is done."""
    run = api.start_run("/v1/topics/discover", {"min_size": 3})
    assert api.run(run)["state"] == "waiting"
    site.start_runner()
    wait_for("the run is begun", lambda: api.run(run)["state"] == "running", pause=0.01)
    site.started.kill(RUNNER)
    assert api.run(run)["state"] == "running", "it was over before its process was killed"
    with psycopg.connect(site.database_url) as connection:
        connection.execute("UPDATE runs SET lease_until = now()")  # the minute for which a silent process is waited for
    site.start_runner()
    wait_for("the run is done", lambda: api.run(run)["state"] == "done")
    assert api.run(run)["result"]["posts"] == len(ids)
    assert site.figure(RUNNER, RUN_DONE) == 1


def check_searches(site: Site, api: Api, ids: list[str], *, wait: bool = False) -> None:
    """Every post once: in the store, and on the pages of the searches of its source."""
    store = QdrantStore(site.store_url)
    if wait:
        wait_for("the points of deleted posts are gone", lambda: store.count("posts") == len(ids))
    assert sorted(str(stored.id) for batch in store.scroll("posts") for stored in batch) == sorted(ids)
    store.close()
    found: list[str] = []
    for n in range(SOURCES):
        filters = {"source": [f"s{n}"]}
        found += api.search_all({"text": "news", "mode": "semantic", "min_score": 0, "limit": 7, "filters": filters})
    assert len(found) == len(set(found)), "a post came twice"
    assert sorted(found) == sorted(ids), "a post was lost"


def figure(url: str, name: str) -> int:
    """A figure that a process exposes; 0 before there is one, or before it answers."""
    try:
        lines = httpx.get(url, timeout=5).text.splitlines()
    except httpx.TransportError:
        return 0
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(name + " "))


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False
