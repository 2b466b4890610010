"""The embedded mode in a process of its own, killed in the middle of its work."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from postscope.backend.postgres import EmbeddedPostgres
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

pytestmark = pytest.mark.slow

POSTS = 900
"""Enough for seconds of work, and few enough that the pages of a search reach every one."""

EVERYTHING = {"text": "news of the day", "mode": "semantic", "min_score": 0, "limit": 100}


def count(database_url: str, table: LiteralString, condition: LiteralString) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()
    return 0 if row is None else int(row[0])


def serve(started: Processes) -> str:
    port, url = listening_port()
    started.start("serve", "serve", "--port", str(port))
    wait_until_up(url, lambda: started.alive("serve"))
    return url


def test_kill_while_indexing_and_start_again(data_dir: Path, tmp_path: Path) -> None:
    settings = {
        "MODE": "embedded",
        "DATA_DIR": str(data_dir),
        "ENCODER__NAME": "bundled-en",
        "WORK__BATCH": "16",
        "LOG_FORMAT": "json",
    }
    # A user of the embedded PostgreSQL besides, so that it is stopped at last whatever becomes of the others.
    with EmbeddedPostgres(data_dir) as postgres, processes(tmp_path / "logs", settings) as started:
        url = serve(started)
        key = admin_key(started.output("serve"))
        api = Api(url, key)
        first = api.post(sample_posts(8))
        api.wait_until_indexed(first)
        ids = first + api.post(sample_posts(POSTS, start=8))
        wait_for("indexing is under way", lambda: api.status(ids[8])["current"], pause=0.02)
        started.kill("serve")
        indexed = count(postgres.url, "posts", "indexed_version IS NOT NULL")
        assert len(first) < indexed < len(ids), "not killed in the middle"
        api.close()

        api = Api(serve(started), key)
        api.wait_until_indexed(ids)
        wait_for("all work is done", lambda: count(postgres.url, "work", "true") == 0)
        found = api.search_all(EVERYTHING)
        assert len(found) == len(set(found)), "a post came twice"
        assert set(found) == set(ids), "a post was lost"
        api.delete(ids[0])
        assert set(api.search_all(EVERYTHING)) == set(ids[1:])
        api.close()
        postgres.stop()  # its last user is the server now
        assert started.stop("serve") == 128 + signal.SIGTERM
        assert not (data_dir / "postgres" / "data" / "postmaster.pid").exists(), "PostgreSQL was left behind"
