"""A process that imports a file and may be killed at a chosen moment: ``URL FILE MOMENT BATCH``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from postscope.backend.database import Database, utc_now
from postscope.backend.importing.progress import Silent
from postscope.backend.importing.running import run_import
from postscope.backend.importing.stopping import stop_on_interrupt
from postscope.backend.jobs import Jobs, LocalBell
from postscope.backend.posts import PostIntake, Verdict


def intake() -> PostIntake:
    return PostIntake(Jobs(LocalBell()), author_key=b"k" * 32, max_media=20)


class Moment(Silent):
    """Counts batches, and kills the process at a moment in the one that is named."""

    def __init__(self, moment: str, batch: int) -> None:
        self.moment = moment
        self.left = batch

    def reached(self, moment: str) -> None:
        if moment == self.moment and self.left == 0:
            os.kill(os.getpid(), signal.SIGINT if moment == "interrupt" else signal.SIGKILL)

    def advance(self, **_: int) -> None:
        print("batch", flush=True)
        self.reached("committed")
        self.left -= 1


def main() -> None:
    url, file, name, batch = sys.argv[1:]
    moment = Moment(name, int(batch))
    posts = intake()

    def create(session: Session, rows: Sequence[dict[str, Any]]) -> list[Verdict]:
        verdicts = posts.create(session, rows, now=utc_now())
        moment.reached("written")
        moment.reached("interrupt")
        event.listen(session, "before_commit", lambda _: moment.reached("committing"), once=True)
        return verdicts

    with stop_on_interrupt() as stop:
        summary = run_import(
            Path(file), database=Database(url, pool_size=2), create_posts=create, progress=moment, batch=50, stop=stop
        )
    print(summary.begun, summary.finished, summary.rows, flush=True)


if __name__ == "__main__":
    main()
