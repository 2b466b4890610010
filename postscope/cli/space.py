"""``postscope space``: which space is live, and the way to another."""

from __future__ import annotations

from dataclasses import fields

import typer
from rich.console import Console
from rich.table import Table

from postscope.backend.runtime import ALIAS, Runtime
from postscope.backend.settings import load_settings
from postscope.backend.space_status import SpaceStatus, space_statuses
from postscope.backend.spaces import DROP, ROLLBACK, SWITCH
from postscope.cli import process, runs
from postscope.indexing.stores.base import StoreBusy, VectorStore

app = typer.Typer(no_args_is_help=True, help="Vector spaces.")
out = Console()


@app.command()
def status() -> None:
    """Every space, its collection and how far it has come."""
    with process.opened(load_settings()) as runtime:
        store = _own_store(runtime)
        rows = space_statuses(runtime.database, store, ALIAS)
    names = [field.name for field in fields(SpaceStatus)]
    for row in rows:
        table = Table(show_header=False, title=row.id)
        for name in names[1:]:
            table.add_row(name, str(getattr(row, name)))
        out.print(table)
    if store is None:
        out.print("A server has the vectors open: GET /v1/space tells its points too.")


@app.command()
def switch(encoder: str | None = typer.Option(None, help="by default the encoder of the settings")) -> None:
    """Embed every post with another encoder and switch at once; killed in between, run it again to go on.

    While a server runs, it does the work; the search goes on in the old space until the new one is ready.
    """
    settings = load_settings()
    chosen = settings.encoder
    if encoder:
        chosen = type(chosen).model_validate(chosen.model_dump() | {"name": encoder})
    with process.opened(settings) as runtime:
        params = {"encoder": chosen.model_dump(mode="json")}
        run = runs.perform(runtime, SWITCH, params, readers=[], exclusive=SWITCH)
    out.print(run.result, markup=False)


@app.command()
def rollback() -> None:
    """Make the previous space live again. While a server runs, it does so."""
    with process.opened(load_settings()) as runtime:
        run = runs.perform(runtime, ROLLBACK, {}, readers=[], exclusive=SWITCH)
    out.print(f"live now: {(run.result or {})['live']}", markup=False)


@app.command("drop-previous")
def drop_previous() -> None:
    """Remove what was kept for a rollback. While a server runs, it does so."""
    with process.opened(load_settings()) as runtime:
        run = runs.perform(runtime, DROP, {}, readers=[], exclusive=SWITCH)
    for collection in (run.result or {})["removed"]:
        out.print(f"removed {collection}", markup=False)


def _own_store(runtime: Runtime) -> VectorStore | None:
    try:
        process.prepare_space(runtime)
    except StoreBusy:
        return None
    return runtime.store
