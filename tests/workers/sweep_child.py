"""A process that sweeps the history for copies and is killed at a chosen moment: ``URL FOLDER MOMENT BATCH``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from postscope.backend.database import Database
from postscope.backend.duplicates.book import Book
from postscope.backend.runtime import Runtime
from postscope.backend.settings import load_settings
from postscope.workers import duplicates
from postscope.workers.long_runs import work_runs
from postscope.workers.run_context import RunContext


class Moment:
    """Counts batches, and kills the process in the one that is named."""

    def __init__(self, batch: int) -> None:
        self.left = batch

    def reached(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    url, folder, name, batch = sys.argv[1:]
    moment = Moment(int(batch))
    write = Book.write

    def written(book: Book) -> None:
        write(book)
        moment.reached()  # and not committed

    def sweep(runtime: Runtime, context: RunContext) -> dict[str, Any]:
        report = context.report

        def reported(*args: Any) -> None:
            report(*args)
            moment.reached()

        if name == "reported":
            context.report = reported
        else:
            Book.write = written
        return duplicates.sweep(runtime, context)

    database = Database(url, pool_size=5)
    runtime = Runtime(load_settings(data_dir=Path(folder), log_level="error"), database)
    work_runs(runtime, runners={"duplicates.sweep": sweep})


if __name__ == "__main__":
    main()
