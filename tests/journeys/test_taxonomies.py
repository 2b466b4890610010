"""A taxonomy applied by a process that is killed in the middle: the next one goes on, and nobody sees a half."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from postscope.backend.postgres import EmbeddedPostgres
from tests.journeys.processes import Api, Processes, admin_key, processes, sample_posts, wait_for
from tests.journeys.test_embedded import serve

pytestmark = pytest.mark.slow

POSTS = 1_350
"""A block of 1,024, and another one that takes long enough to be killed in."""
MANY = {"labels": [{"name": f"label {n}", "prompts": [word], "threshold": 0.01} for n, word in enumerate(
    f"{mood} {thing}" for mood in ("good", "bad", "new", "old", "small", "large")
    for thing in ("news", "food", "music", "games", "travel", "sport", "weather", "work", "animals", "cars")
)]}  # fmt: skip


class Desk:
    """Somebody who defines taxonomies."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def apply(self, version: int) -> str:
        return str(self.ask("POST", f"/v1/taxonomies/news/versions/{version}/apply")["id"])

    def run(self, run_id: str) -> Any:
        return self.ask("GET", f"/v1/runs/{run_id}")

    def finished(self, run_id: str) -> Any:
        wait_for("the run ends", lambda: self.run(run_id)["state"] not in ("waiting", "running"))
        run = self.run(run_id)
        assert run["state"] == "done", run
        return run["result"]

    def with_label(self, label: str) -> int:
        body = {"text": "good food", "mode": "keyword", "min_score": 0, "filters": {"labels": {"any": [label]}}}
        return len(self.ask("POST", "/v1/search", body)["hits"])


def rows(database_url: str, version: int) -> list[Any]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "SELECT t.post_id, l.path, t.score FROM post_tags t JOIN taxonomy_labels l ON l.id = t.label_id "
            "JOIN taxonomy_versions v ON v.id = t.version_id WHERE v.number = %s ORDER BY 1, 2",
            [version],
        ).fetchall()


def test_kill_while_a_version_is_applied_and_start_again(data_dir: Path, tmp_path: Path) -> None:
    settings = {"MODE": "embedded", "DATA_DIR": str(data_dir), "ENCODER__NAME": "bundled-en", "LOG_FORMAT": "json"}
    with EmbeddedPostgres(data_dir) as postgres, processes(tmp_path / "logs", settings) as started:
        desk, key = _first(started)
        before = desk.with_label("news/food")
        assert before
        desk.ask("POST", "/v1/taxonomies/news/versions", MANY)
        run_id = desk.apply(2)
        wait_for("the first block is done", lambda: desk.run(run_id)["done"] >= 1_024, pause=0.02)
        started.kill("serve")
        with psycopg.connect(postgres.url) as connection:
            state = connection.execute("SELECT state FROM taxonomy_versions WHERE number = 2").fetchone()
        assert state == ("applying",), "not killed in the middle"

        desk = Desk(serve(started), key)
        assert desk.with_label("news@1/food") == before, "the version before answers all the time"
        resumed = desk.finished(run_id)
        assert resumed["posts"] == POSTS
        assert desk.ask("GET", "/v1/taxonomies/news")["version"] == 2
        assert desk.with_label("news@1/food") == before
        after_kill = rows(postgres.url, 2)
        assert len(after_kill) == resumed["labels"]
        assert desk.finished(desk.apply(2)) == resumed
        again = rows(postgres.url, 2)
        assert [row[:2] for row in again] == [row[:2] for row in after_kill], "a kill changes nothing"
        assert [row[2] for row in again] == pytest.approx([row[2] for row in after_kill], abs=1e-4)
        started.stop("serve")


def _first(started: Processes) -> tuple[Desk, str]:
    url = serve(started)
    key = admin_key(started.output("serve"))
    api, desk = Api(url, key), Desk(url, key)
    ids = [id for start in range(0, POSTS, 450) for id in api.post(sample_posts(450, start=start))]
    desk.ask("POST", "/v1/taxonomies", {"name": "news", "labels": [{"name": "food", "threshold": 0.01}]})
    api.wait_until_indexed(ids)
    desk.finished(desk.apply(1))
    api.close()
    return desk, key
