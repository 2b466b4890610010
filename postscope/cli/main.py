"""The commands. Each one opens what it needs, calls the domain and prints."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from postscope.backend import auth, work
from postscope.backend.database_errors import UNABLE, why
from postscope.backend.errors import PostscopeError
from postscope.backend.jobs import Jobs
from postscope.backend.models import cores
from postscope.backend.settings import load_settings
from postscope.backend.work import Stage
from postscope.cli import (
    audit,
    banks,
    dedupe,
    demo,
    evaluating,
    heads,
    importing,
    models,
    process,
    reporting,
    runs,
    serving,
    space,
    tags,
)
from postscope.indexing.stores.base import StoreError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Content intelligence for social posts.")
keys = typer.Typer(no_args_is_help=True, help="API keys.")
app.add_typer(keys, name="keys")
app.add_typer(space.app, name="space")
app.add_typer(runs.app, name="runs")
app.add_typer(audit.app, name="audit")
app.add_typer(evaluating.app, name="evaluate")
app.add_typer(banks.app, name="banks")
app.add_typer(heads.app, name="heads")
app.add_typer(tags.app, name="tags")
app.command("import")(importing.import_file)
app.command("demo")(demo.demo)
app.command("models")(models.models)
app.command("dedupe")(dedupe.dedupe)
app.command("report")(reporting.report)

out = Console()
err = Console(stderr=True, soft_wrap=True)


def main() -> None:
    """Entry point: an error of ours, and a part that is down, is one clear line, not a traceback."""
    signal.signal(signal.SIGTERM, _end)
    try:
        app()
    except PostscopeError as error:
        _fail(error.detail)
    except StoreError as error:
        _fail(f"the vector store: {error}")
    except UNABLE as error:
        _fail(f"the database: {why(error)}")


def _fail(reason: str) -> NoReturn:
    err.print(f"postscope: {reason}", style="red", markup=False)
    sys.exit(1)


def _end(number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does: what it opened is closed, and an embedded PostgreSQL is stopped.

    By default the process would end at once; a server, too, passes the signal on when it has answered the last request.
    """
    signal.signal(number, lambda *_: None)  # told once is enough: closing is not to be broken off
    sys.exit(128 + number)


@app.command()
def serve(host: str | None = None, port: int | None = None) -> None:
    """Serve the API; in the embedded mode with PostgreSQL, the vectors and the workers in this process."""
    settings = load_settings()
    api = settings.api.model_copy(
        update={name: value for name, value in (("host", host), ("port", port)) if value is not None}
    )
    settings = settings.model_copy(update={"api": api})
    with process.opened(settings) as runtime:
        process.prepare_space(runtime)
        with runtime.database.session() as session:
            first = auth.ensure_first_key(session, now=runtime.clock())
        if first:
            err.print(
                f"first start: the admin key is {first} (shown once, kept only as a hash)", markup=False, soft_wrap=True
            )
        err.print(f"serving on {serving.address(runtime)}", markup=False)
        serving.warm(runtime)
        serving.serve(runtime)


@app.command()
def worker(
    stages: Annotated[list[Stage] | None, typer.Option(help="work only on these stages")] = None,
    concurrency: int = 1,
) -> None:
    """Run a Celery worker (distributed mode)."""
    from postscope.workers.app import create_celery
    from postscope.workers.exposing import figures_of_children

    queues = [stage.value for stage in (stages or list(Stage))] + ["maintain"]
    _share_cores(concurrency)
    with figures_of_children(load_settings().work):
        create_celery().worker_main(
            ["worker", "--queues", ",".join(queues), "--concurrency", str(concurrency), "--loglevel", "info",
             "--without-gossip", "--without-mingle"]
        )  # fmt: skip


def _share_cores(concurrency: int) -> None:
    """Let each child of a worker compute on its share of the cores.

    Whoever hands part of a computation to a second thread waits for it, awake: where every child has a thread a core,
    those that wait can keep the cores from those that they wait for.
    """
    share = str(max(1, cores() // concurrency))
    os.environ.setdefault("POSTSCOPE_ENCODER__THREADS", share)
    os.environ.setdefault("OMP_NUM_THREADS", share)


@app.command()
def runner() -> None:
    """Run a Celery worker for long runs: topic discoveries, sweeps, trainings (distributed mode)."""
    from postscope.workers.app import create_celery, process_runtime
    from postscope.workers.exposing import own_figures

    # On a thread, so that a run hears of a shutdown and hands itself back with its checkpoint.
    with own_figures(process_runtime()):
        create_celery().worker_main(
            ["worker", "--queues", "runs", "--pool", "threads", "--concurrency", "1", "--loglevel", "info",
             "--without-gossip", "--without-mingle"]
        )  # fmt: skip


@app.command()
def beat() -> None:
    """Run the Celery beat, which makes good what lost messages missed (distributed mode)."""
    from postscope.workers.app import create_celery

    load_settings().data_dir.mkdir(parents=True, exist_ok=True)
    create_celery().start(["beat", "--loglevel", "info"])


@app.command()
def migrate() -> None:
    """Bring the database and the collections to the newest version."""
    with process.opened(load_settings(), migrate=True) as runtime:
        process.prepare_space(runtime)
        with runtime.database.session() as session:
            first = auth.ensure_first_key(session, now=runtime.clock())
    out.print("the database and the collections are up to date")
    if first:
        out.print(f"the admin key is {first} (shown once, kept only as a hash)", markup=False, soft_wrap=True)


@app.command()
def status() -> None:
    """How much waits, runs and has failed."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        table = Table("stage", "waiting", "running", "failed", "oldest")
        for row in work.backlog(session):
            oldest = row.oldest.isoformat(timespec="seconds") if row.oldest else "-"
            table.add_row(row.stage, str(row.waiting), str(row.running), str(row.failed), oldest)
    out.print(table)


@app.command()
def retry() -> None:
    """Try everything again that was given up."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        count = work.retry(session, now=runtime.clock())
        Jobs(runtime.bell).after(session, list(Stage))
    out.print(f"{count} waiting again")


@keys.command("create")
def create_key(name: str, role: Annotated[list[auth.Role], typer.Option(help="may be given several times")]) -> None:
    """Make a key and show it once."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        _, secret = auth.create_key(session, name, role, now=runtime.clock())
    out.print(secret, markup=False, soft_wrap=True)


@keys.command("list")
def list_keys() -> None:
    """All keys, without their secrets."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        table = Table("id", "name", "starts with", "roles", "made", "revoked")
        for key in auth.list_keys(session):
            revoked = key.revoked_at.isoformat(timespec="seconds") if key.revoked_at else "-"
            made = key.created_at.isoformat(timespec="seconds")
            table.add_row(str(key.id), key.name, key.prefix, ", ".join(key.roles), made, revoked)
    out.print(table)


@keys.command("revoke")
def revoke_key(key_id: UUID) -> None:
    """Make a key worthless; a serving process forgets it within half a minute."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        auth.revoke_key(session, key_id, now=runtime.clock())
    out.print("revoked")
