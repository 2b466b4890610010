"""Telling a person how far an import has come."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from postscope.backend.importing.runs import Begun


class ImportProgress(Protocol):
    """Hears how an import goes, from the thread that runs it."""

    def begin(self, begun: Begun, *, rows: int, done: int, total: int) -> None:
        """It begins: ``rows`` were dealt with before, ``done`` of ``total`` bytes of the file lie behind."""
        ...

    def advance(self, *, rows: int, rejected: int, done: int, total: int) -> None:
        """A batch was committed. All numbers count from the beginning of the file."""
        ...


class Silent:
    """Tells nobody."""

    def begin(self, begun: Begun, *, rows: int, done: int, total: int) -> None:
        """Nothing."""

    def advance(self, *, rows: int, rejected: int, done: int, total: int) -> None:
        """Nothing."""


class ImportBar:
    """A progress bar on a terminal; elsewhere it stays silent until its last state. Use it in a ``with``."""

    def __init__(self, name: str, console: Console) -> None:
        self._name = name
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[rows]:,} rows"),
            TextColumn("{task.fields[rejected]:,} rejected", style="yellow"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task: TaskID | None = None

    def begin(self, begun: Begun, *, rows: int, done: int, total: int) -> None:
        """Show the bar, and say so where it does not begin at the beginning."""
        if begun is Begun.RESUMED:
            self._console.print(f"resuming {self._name} after {rows:,} rows", markup=False)
        elif begun is Begun.AGAIN:
            self._console.print(f"{self._name} was imported before: reading it again", markup=False)
        self._task = self._bar.add_task(self._name, total=total, completed=done, rows=rows, rejected=0)

    def advance(self, *, rows: int, rejected: int, done: int, total: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.update(self._task, completed=done, total=total, rows=rows, rejected=rejected)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
