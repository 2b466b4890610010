"""Postscope as its users run it: separate processes, told what to do by their environment."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from postscope.sample import sample_dir
from tests.servers import free_port

PATIENCE_SECONDS = 90.0


@dataclass
class Processes:
    """Starts processes, each in a group of its own, and ends every one of them at last.

    Attributes:
        folder: where each one's output goes, ``<name>.log``.
        settings: the environment that makes them what they are, without the prefix ``POSTSCOPE_``.
    """

    folder: Path
    settings: dict[str, str]
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str, module: str = "postscope") -> None:
        """Start one and remember it by its name."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
            )

    def run(self, *arguments: str) -> str:
        """Run a command to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "postscope", *arguments],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def kill(self, name: str) -> None:
        """kill -9 of a process and its children, in the middle of whatever they do."""
        self.signal(name, signal.SIGKILL)
        self._running.pop(name).wait(20)

    def stop(self, name: str) -> int:
        """Ask a process to end, and wait until it has; its exit code."""
        process = self._running.pop(name)
        process.terminate()
        try:
            return process.wait(30)
        finally:
            _end(process)

    def signal(self, name: str, number: signal.Signals) -> None:
        os.killpg(self._running[name].pid, number)

    def owner(self, pid: int) -> str | None:
        """The name of the process whose group a process belongs to."""
        try:
            group = os.getpgid(pid)
        except ProcessLookupError:
            return None
        return next((name for name, process in self._running.items() if process.pid == group), None)

    def output(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def alive(self, name: str) -> bool:
        return self._running[name].poll() is None

    def end_all(self) -> None:
        for process in self._running.values():
            _end(process)
        self._running.clear()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTSCOPE_")}
        return kept | {f"POSTSCOPE_{name}": value for name, value in self.settings.items()} | {"COLUMNS": "200"}


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait(20)


@contextmanager
def processes(folder: Path, settings: dict[str, str]) -> Iterator[Processes]:
    """None of them outlives the block."""
    folder.mkdir(parents=True, exist_ok=True)
    started = Processes(folder, settings)
    try:
        yield started
    finally:
        started.end_all()


def wait_for(what: str, holds: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS, pause: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(pause)


def admin_key(printed: str) -> str:
    found = re.search(r"admin key is\s+(\S+)", printed)
    assert found, f"no key was shown: {printed}"
    return found[1]


def wait_until_up(url: str, running: Callable[[], bool]) -> None:
    def up() -> bool:
        assert running(), "the API ended"
        try:
            return httpx.get(f"{url}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    wait_for("the API answers", up)


def sample_posts(count: int, *, sources: int = 1, start: int = 0) -> list[dict[str, Any]]:
    """Posts with the texts of the sample, without media, spread over sources ``s0``, ``s1``, …"""
    with (sample_dir() / "posts.jsonl").open(encoding="utf-8") as lines:
        texts = [text for line in lines if (text := json.loads(line).get("text"))]
    return [
        {
            "source": f"s{n % sources}",
            "external_id": f"{n:05d}",
            "created_at": "2026-03-02T09:00:00Z",
            "text": f"{texts[n % len(texts)]} ({n})",
        }
        for n in range(start, start + count)
    ]


class Api:
    """A user of the API."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def close(self) -> None:
        self._client.close()

    def post(self, posts: Sequence[dict[str, Any]]) -> list[str]:
        """Post a batch; every one is accepted."""
        answer = self._client.post("/v1/posts", json={"posts": list(posts)})
        assert answer.status_code == 202, answer.text
        assert answer.json()["accepted"] == len(posts), answer.text
        return [verdict["id"] for verdict in answer.json()["posts"]]

    def delete(self, post_id: str) -> None:
        assert self._client.delete(f"/v1/posts/{post_id}").status_code == 204

    def status(self, post_id: str) -> dict[str, Any]:
        answer = self._client.get(f"/v1/posts/{post_id}/status")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait_until_indexed(self, ids: Iterable[str]) -> None:
        """Until each post is searchable as it is now."""
        waiting = list(ids)

        def done() -> bool:
            while waiting and self.status(waiting[-1])["current"]:
                waiting.pop()
            return not waiting

        wait_for("every post is indexed", done)

    def start_run(self, path: str, request: dict[str, Any]) -> str:
        """Ask for long work; the id of its run."""
        answer = self._client.post(path, json=request)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        answer = self._client.get(f"/v1/runs/{run_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def search_all(self, request: dict[str, Any]) -> list[str]:
        """The ids on all pages of a search, in their order."""
        found: list[str] = []
        cursor = None
        while True:
            answer = self._client.post("/v1/search", json=request | ({"cursor": cursor} if cursor else {}))
            assert answer.status_code == 200, answer.text
            found += [hit["id"] for hit in answer.json()["hits"]]
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                return found


def listening_port() -> tuple[int, str]:
    """A free port and the address of an API on it."""
    port = free_port()
    return port, f"http://127.0.0.1:{port}"
