"""The embedded mode in a process of its own, killed in the middle of its work."""

from __future__ import annotations

from pathlib import Path

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

POSTS = 700
"""Enough for seconds of work, and few enough that the pages of a search reach every one."""

EVERYTHING = {"text": "news of the day", "mode": "semantic", "min_score": 0, "limit": 100}


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
    with EmbeddedPostgres(data_dir), processes(tmp_path / "logs", settings) as started:
        url = serve(started)
        key = admin_key(started.output("serve"))
        api = Api(url, key)
        first = api.post(sample_posts(8))
        api.wait_until_indexed(first)
        ids = first + api.post(sample_posts(POSTS, start=8))
        wait_for("indexing is under way", lambda: api.status(ids[8])["current"], pause=0.02)
        assert not api.status(ids[-1])["current"], "it was too fast to be killed in the middle"
        started.kill("serve")
        api.close()

        api = Api(serve(started), key)
        api.wait_until_indexed(ids)
        found = api.search_all(EVERYTHING)
        assert len(found) == len(set(found)), "a post came twice"
        assert set(found) == set(ids), "a post was lost"
        api.delete(ids[0])
        assert set(api.search_all(EVERYTHING)) == set(ids[1:])
        api.close()
        started.stop("serve")
