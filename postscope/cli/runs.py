"""``postscope runs``, and how commands ask for long work: started here, worked on by whoever owns the store."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend import runs
from postscope.backend.auth import Caller, Role
from postscope.backend.errors import PostscopeError
from postscope.backend.runtime import Runtime
from postscope.backend.settings import Mode, load_settings
from postscope.backend.tables import Run
from postscope.cli import process
from postscope.indexing.stores.base import StoreBusy
from postscope.workers.long_runs import work_runs

app = typer.Typer(no_args_is_help=True, help="Long work: discoveries, sweeps, trainings.")
out = Console(markup=False)

OPERATOR = Caller(UUID(int=0), "operator", frozenset({Role.ADMIN}))
"""Who types commands."""
POLL_SECONDS = 0.5
ENDED = ("done", "failed", "cancelled")


class RunFailed(PostscopeError):
    """A run that a command waited for has failed or was cancelled."""


@app.command("list")
def list_runs(kind: str | None = None, limit: int = 20) -> None:
    """The newest runs."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        table = Table("id", "kind", "state", "done", "of", "note", "asked by", "at")
        for run in runs.recent(session, OPERATOR, kind=kind, limit=limit):
            total = "-" if run.total is None else str(run.total)
            asked = run.created_at.isoformat(timespec="seconds")
            table.add_row(
                str(run.id), run.kind, run.state, str(run.done), total, run.error or run.note, run.actor, asked
            )
    out.print(table)


@app.command()
def follow(run_id: Annotated[UUID, typer.Argument(help="as `postscope runs list` shows it")]) -> None:
    """Watch a run until it ends."""
    with process.opened(load_settings()) as runtime:
        run = watch(runtime, run_id)
    out.print(f"{run.kind}: {run.state}", run.error or "", run.result or "")
    if run.state == "failed":
        raise typer.Exit(1)


@app.command()
def cancel(run_id: UUID) -> None:
    """End a run."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        runs.cancel(session, run_id, OPERATOR, now=runtime.clock())
    out.print("it ends as soon as it next looks")


def perform(
    runtime: Runtime, kind: str, params: dict[str, Any], *, readers: Collection[Role], exclusive: str | None = None
) -> Run:
    """Start a run, watch it to its end, and say how it went.

    In the embedded mode it is worked on here, unless another process serves the data folder: then that one does it.
    Interrupted, a run that another process works on goes on; one that is worked on here waits for the next time: where
    one with this ``exclusive`` value and the same ``params`` has not ended, that one is gone on with.

    Raises:
        RunFailed: it failed or was cancelled, with the reason.
        Conflict: ``run_exists``: one with this ``exclusive`` value, but other ``params``, has not ended.
    """
    mine = _mine(runtime)
    with runtime.database.session() as session:
        if mine:  # nobody else can be at work: what is marked as running was in the hands of a process that is gone
            runs.reclaim(session, now=runtime.clock(), all_running=True)
        run = _left(session, kind, params, exclusive) or runs.start(
            session,
            kind,
            params,
            actor=OPERATOR.name,
            readers=readers,
            now=runtime.clock(),
            exclusive=exclusive,
        )
    if not mine:
        return _ended(watch(runtime, run.id))
    stopping = threading.Event()
    worker = threading.Thread(target=work_runs, args=(runtime,), kwargs={"stop": stopping.is_set}, daemon=True)
    worker.start()
    try:
        return _ended(watch(runtime, run.id))
    finally:
        stopping.set()
        worker.join(30)


def _left(session: Session, kind: str, params: dict[str, Any], exclusive: str | None) -> Run | None:
    """The run that has not ended yet, where it is the same that is asked for now."""
    if exclusive is None:
        return None
    found = session.scalar(
        select(Run).where(Run.exclusive == exclusive, Run.kind == kind, Run.state.in_(("waiting", "running")))
    )
    return found if found is not None and found.params == params else None


def watch(runtime: Runtime, run_id: UUID) -> Run:
    """Show the progress of a run until it ends."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out) as progress:
        task = progress.add_task("waiting", total=None)
        while True:
            with runtime.database.session() as session:
                run = runs.get(session, run_id, OPERATOR)
            progress.update(task, completed=run.done, total=run.total, description=run.note or run.state)
            if run.state in ENDED:
                return run
            time.sleep(POLL_SECONDS)


def _mine(runtime: Runtime) -> bool:
    """Whether this process is to do the work: in the embedded mode, where it can own the store."""
    if runtime.settings.mode is not Mode.EMBEDDED:
        return False
    try:
        process.prepare_space(runtime)
    except StoreBusy:
        return False
    return True


def _ended(run: Run) -> Run:
    if run.state == "done":
        return run
    raise RunFailed(f"{run.kind} {run.state}" + (f": {run.error}" if run.error else ""), code=run.error_code)
