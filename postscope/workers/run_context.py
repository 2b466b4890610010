"""What a runner has of its run, and what a runner is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from postscope.backend import runs
from postscope.backend.runs import Progress, RunCancelled, RunStopped
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Run


class RunContext:
    """What a runner has of its run.

    Attributes:
        id: of the run.
        actor: who asked for it.
        params: what it is to work on.
        checkpoint: from where to go on; None at the first attempt.
    """

    def __init__(self, runtime: Runtime, run: Run, stop: Callable[[], bool]) -> None:
        if run.lease_token is None:
            raise RunStopped
        self.id: UUID = run.id
        self.actor = run.actor
        self.params = run.params
        self.checkpoint = run.checkpoint
        self.token = run.lease_token
        self._runtime = runtime
        self._stop = stop
        self._end: type[Exception] | None = None

    def report(
        self, done: int, total: int | None = None, note: str = "", checkpoint: dict[str, Any] | None = None
    ) -> None:
        """Say how far it is. Whatever ``checkpoint`` promises must be committed before.

        Raises:
            RunCancelled: a person wants it to end: leave nothing half-done behind.
            RunStopped: this process has to stop: go on from the checkpoint later.
        """
        self._beat(Progress(done, total, note, checkpoint))
        self.check()

    def keep(self, session: Session, checkpoint: dict[str, Any]) -> None:
        """Write a checkpoint in the transaction of what it promises. Raises what ``report`` raises."""
        runs.keep(session, self.id, self.token, checkpoint)

    def check(self) -> None:
        """Raise what ``report`` raises, at no cost: for inner loops."""
        if self._end is not None:
            raise self._end
        if self._stop():
            raise RunStopped

    def beat(self) -> None:
        """Keep the lease; called beside the work."""
        with suppress(RunCancelled, RunStopped):  # noted: the work's next look raises it
            self._beat(None)

    def _beat(self, progress: Progress | None) -> None:
        try:
            with self._runtime.database.session() as session:
                runs.report(session, self.id, self.token, progress, now=self._runtime.clock())
        except (RunCancelled, RunStopped) as end:
            self._end = type(end)
            raise


Runner = Callable[[Runtime, RunContext], dict[str, Any] | None]
"""Does the work and returns its result, small enough to show."""
