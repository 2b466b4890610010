"""How soon an entry is live in the distributed mode: from ``POST`` of an entry to the match of a new post, over HTTP.

Run as ``python -m tests.benchmarks.bench_entry_live [ROUNDS]``. Real processes: API, beat and two workers over Redis,
PostgreSQL and a vector store (``tests.qdrant_server``: Qdrant's protocol, not Qdrant's server). In each round an entry
is made, and a copy of it posted at once; then another entry, and a copy of it five seconds later. An entry that was not
live would give the verdict ``no_match``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np

from tests.journeys.processes import admin_key, listening_port, processes, wait_for, wait_until_up
from tests.journeys.test_distributed import answers
from tests.servers import RedisServer, postgres_server

PAUSE = 0.02
AIM_SECONDS = 5.0


class Site:
    """The API of one installation."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        self._bank = self._post("/v1/banks", {"name": "scams"})["id"]

    def entry(self, words: str) -> float:
        """Make an entry; the seconds that the answer took."""
        started = time.perf_counter()
        self._post(f"/v1/banks/{self._bank}/entries", {"hashes": [{"kind": "text", "value": words}]})
        return time.perf_counter() - started

    def post(self, words: str) -> str:
        """Post a text; its id."""
        row = {"source": "bench", "external_id": uuid4().hex, "created_at": "2026-03-02T09:00:00Z", "text": words}
        return str(self._post("/v1/posts", {"posts": [row]})["posts"][0]["id"])

    def verdict(self, post_id: str) -> str:
        """Wait for the verdict on a post."""
        while True:
            told = self._client.get(f"/v1/posts/{post_id}/moderation").raise_for_status().json()
            if told["checked_at"] is not None:
                return str(told["verdict"])
            time.sleep(PAUSE)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._client.post(path, json=body).raise_for_status().json()


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Start everything; nothing of it is left behind."""
    store_port, store_url = listening_port()
    port, url = listening_port()
    with postgres_server() as database_url, RedisServer() as redis:
        settings = {
            "MODE": "distributed",
            "DATABASE__URL": database_url,
            "STORE__URL": store_url,
            "QUEUE__URL": redis.url,
            "AUTHOR_KEY": "k" * 40,
            "DATA_DIR": str(folder / "data"),
            "ENCODER__NAME": "bundled-en",
        }
        with processes(folder / "logs", settings) as started:
            started.start("store", str(store_port), str(folder / "store"), module="tests.qdrant_server")
            wait_for("the store answers", lambda: answers(f"{store_url}/collections"))
            key = admin_key(started.run("migrate"))
            started.start("api", "serve", "--port", str(port))
            started.start("beat", "beat")
            for name in ("worker-1", "worker-2"):
                started.start(name, "worker", "--concurrency", "2")
            wait_until_up(url, lambda: started.alive("api"))
            made = Site(url, key)
            for _ in range(8):  # until the processes of both workers have opened the model
                made.verdict(made.post(f"the first ferry of the day, {uuid4().hex}"))
            yield made


def measure(made: Site, rounds: int, delay: float) -> None:
    """Print how long it took with so many seconds between an entry and the copy of it."""
    entries, times, verdicts = [], [], []
    for _ in range(rounds):
        words = f"a brand new scam of its own kind: send {uuid4().hex} and {uuid4().hex} to this wallet"
        entries.append(made.entry(words))
        time.sleep(delay)
        started = time.perf_counter()
        verdicts.append(made.verdict(made.post(words)))
        times.append(time.perf_counter() - started)
    found = verdicts.count("match")
    print(
        f"copy {delay:.0f} s after the entry: {found} of {rounds} match; from its POST to the match that can be read: "
        f"median {np.median(times):.2f} s, slowest {max(times):.2f} s (POST of the entry: median "
        f"{np.median(entries):.2f} s)",
        flush=True,
    )


def main() -> None:
    """Print both."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as made:
        for delay in (0.0, AIM_SECONDS):
            measure(made, rounds, delay)


if __name__ == "__main__":
    main()
