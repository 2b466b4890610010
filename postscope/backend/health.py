"""Whether the service can do its work: named checks, each of which raises ``NotReady`` with its own code."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

import structlog

from postscope.backend.database_errors import UNABLE, unable
from postscope.backend.errors import FieldProblem, NotReady

log = structlog.get_logger(__name__)

Check = Callable[[], None]

_CODES: Final = {
    "database": "database_down",
    "store": "store_down",
    "model": "model_not_ready",
    "backlog": "backlog_old",
}


class Readiness:
    """Runs the checks beside each other, each one at most once at a time.

    A check that hangs, such as the opening of a model, holds no thread of the API, and probes that come often ask no
    more often than ``fresh_seconds``.

    Args:
        checks: by name, in the order in which their failures are told.
        timeout_seconds: a check that has not ended by then has failed, for now.
        fresh_seconds: how long an answer stands.
    """

    def __init__(
        self, checks: Mapping[str, Check], *, timeout_seconds: float = 3.0, fresh_seconds: float = 1.0
    ) -> None:
        self._checks = dict(checks)
        self._timeout = timeout_seconds
        self._fresh = fresh_seconds
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(self._checks)), thread_name_prefix="ready")
        self._lock = threading.Lock()
        self._running: dict[str, Future[None]] = {}
        self._answer: list[FieldProblem] = []
        self._answered_at: float | None = None

    def verify(self) -> None:
        """Return when all is well.

        Raises:
            NotReady: with the code of the first check that failed; ``problems`` names each failed check and its code.
        """
        with self._lock:
            if self._answered_at is None or time.monotonic() - self._answered_at >= self._fresh:
                self._answer = self._run()
                self._answered_at = time.monotonic()
            failed = self._answer
        if failed:
            raise NotReady(
                f"not ready: {', '.join(problem.field for problem in failed)}",
                code=failed[0].reason,
                problems=failed,
                headers={"Retry-After": "5"},
            )

    def _run(self) -> list[FieldProblem]:
        for name, check in self._checks.items():
            if name not in self._running:
                self._running[name] = self._pool.submit(check)
        wait(self._running.values(), timeout=self._timeout)
        codes = {name: self._code(name) for name in self._checks}
        return [FieldProblem(name, code) for name, code in codes.items() if code is not None]

    def _code(self, name: str) -> str | None:
        future = self._running[name]
        usual = _CODES.get(name, f"{name}_not_ready")
        if not future.done():
            log.warning("not_ready", check=name, code=usual, reason=f"no answer in {self._timeout} s")
            return usual
        del self._running[name]
        error = future.exception()
        if error is None:
            return None
        if isinstance(error, UNABLE):  # the check itself is not what failed
            error = unable(error)
        code = error.code if isinstance(error, NotReady) else usual
        log.warning("not_ready", check=name, code=code, reason=str(error))  # the answer tells strangers only the code
        return code
