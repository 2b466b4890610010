"""``postscope space``: which space is live, and the way to another."""

from __future__ import annotations

from dataclasses import fields

import typer
from rich.console import Console
from rich.table import Table

from postscope.backend.settings import load_settings
from postscope.backend.spaces import SWITCH, SpaceStatus
from postscope.cli import process, runs
from postscope.workers import respace

app = typer.Typer(no_args_is_help=True, help="Vector spaces.")
out = Console()


@app.command()
def status() -> None:
    """Every space, its collection and how far it has come."""
    with process.opened(load_settings()) as runtime:
        process.prepare_space(runtime)
        rows = respace.spaces_of(runtime).status()
    names = [field.name for field in fields(SpaceStatus)]
    for row in rows:
        table = Table(show_header=False, title=row.id)
        for name in names[1:]:
            table.add_row(name, str(getattr(row, name)))
        out.print(table)


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
    """Make the previous space live again."""
    with process.opened(load_settings()) as runtime:
        row = respace.rollback(runtime)
    out.print(f"live now: {row.id}", markup=False)


@app.command("drop-previous")
def drop_previous() -> None:
    """Remove what was kept for a rollback."""
    with process.opened(load_settings()) as runtime:
        for collection in respace.spaces_of(runtime).drop_previous():
            out.print(f"removed {collection}", markup=False)
