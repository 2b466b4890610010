"""Commands that ask for long work: done here where nobody serves, followed where somebody does."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from postscope.backend.auth import Role
from postscope.backend.runtime import Runtime
from postscope.cli import runs
from postscope.indexing.stores.base import StoreBusy
from postscope.workers import long_runs
from postscope.workers.long_runs import work_runs
from postscope.workers.run_context import RunContext
from tests.workers.conftest import encoder, open_runtime, runtime  # noqa: F401 - fixtures


def double(_: Runtime, context: RunContext) -> dict[str, Any]:
    number = int(context.params["number"])
    if number < 0:
        raise ValueError("it is negative")
    context.report(1, 1, "doubling")
    return {"doubled": 2 * number}


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_runs, "RUNNERS", {"double": double})
    monkeypatch.setattr(runs, "POLL_SECONDS", 0.01)


def perform(runtime: Runtime, number: int) -> dict[str, Any] | None:  # noqa: F811
    return runs.perform(runtime, "double", {"number": number}, readers=[Role.ANALYST]).result


def test_the_work_is_done_here_where_nobody_serves(runtime: Runtime) -> None:  # noqa: F811
    assert perform(runtime, 21) == {"doubled": 42}


def test_a_failure_ends_the_command_with_its_reason(runtime: Runtime) -> None:  # noqa: F811
    with pytest.raises(runs.RunFailed, match="it is negative"):
        perform(runtime, -1)


def test_where_somebody_serves_the_command_waits_for_them(
    runtime: Runtime,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def busy(_: Runtime) -> None:
        raise StoreBusy("another process has it")

    monkeypatch.setattr(runs.process, "prepare_space", busy)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            work_runs(runtime)
            ended.wait(0.02)

    server = threading.Thread(target=serve)
    server.start()
    try:
        assert perform(runtime, 4) == {"doubled": 8}
    finally:
        ended.set()
        server.join()
