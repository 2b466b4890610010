"""``postscope banks``: banks of known content, in and out as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from postscope.backend.auth import Caller, Role
from postscope.backend.banks import catalogue, hygiene, importing, retro
from postscope.backend.banks.exchange import Format
from postscope.backend.banks.schema import BankIn
from postscope.backend.errors import Invalid, NotFound
from postscope.backend.runtime import Runtime
from postscope.backend.settings import load_settings
from postscope.cli import process

app = typer.Typer(no_args_is_help=True, help="Banks of known content.")
out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

_CALLER = Caller(UUID(int=0), "command line", frozenset({Role.ADMIN}))
FormatOption = Annotated[Format, typer.Option("--format", help="csv, signals or te, as threatexchange writes them")]
TypeOption = Annotated[str | None, typer.Option("--type", help="of the signals, where the lines do not name it")]


@app.command("list")
def list_banks() -> None:
    """All banks and how good their matches were."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        found = catalogue.visible(session, _CALLER)
        ids = [bank.id for bank in found]
        sizes, told = catalogue.sizes(session, ids), hygiene.of_banks(session, ids)
        table = Table("id", "name", "kind", "enabled", "entries", "matches", "precision")
        for bank in found:
            precision = told[bank.id].precision
            table.add_row(
                str(bank.id), bank.name, "harmless" if bank.harmless else "harmful", str(bank.enabled).lower(),
                str(sizes.get(bank.id, 0)), str(told[bank.id].matches),
                "-" if precision is None else f"{precision:.2f}",
            )  # fmt: skip
    out.print(table)


@app.command("create")
def create(
    name: str, harmless: Annotated[bool, typer.Option(help="known to be harmless: suppresses matches")] = False
) -> None:
    """Make a bank that moderators see and change."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        bank = catalogue.create(session, BankIn(name=name, harmless=harmless), _CALLER, now=runtime.clock())
        out.print(str(bank.id), markup=False)


@app.command("import")
def import_bank(
    bank: str,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    format: FormatOption = "csv",
    signal_type: TypeOption = None,
    skip_bad: Annotated[bool, typer.Option(help="leave bad lines out instead of refusing the file")] = False,
) -> None:
    """Take a file into a bank, all of it or nothing."""
    with process.opened(load_settings()) as runtime, file.open("rb") as opened:
        try:
            done = importing.load(
                runtime.database, _named(runtime, bank), opened, format, _CALLER,
                now=runtime.clock(), signal_type=signal_type, skip_bad=skip_bad,
            )  # fmt: skip
        except Invalid as error:
            for problem in error.problems:
                err.print(f"{problem.field}: {problem.reason}", markup=False)
            raise
    for problem in done.problems:
        err.print(f"{problem.field}: {problem.reason}", markup=False)
    out.print(done.note or f"{done.entries} new, {done.duplicates} there already, {done.rejected} bad")


@app.command("export")
def export_bank(bank: str, format: FormatOption = "csv", signal_type: TypeOption = None) -> None:
    """Write a bank to the standard output."""
    with process.opened(load_settings()) as runtime:
        lines = importing.dump(runtime.database, _named(runtime, bank), format, _CALLER, signal_type=signal_type)
        for line in lines:
            sys.stdout.write(line)


@app.command("retro")
def start_retro(
    bank: str, apply: Annotated[bool, typer.Option(help="apply it; without, it only counts, with examples")] = False
) -> None:
    """Check a bank against all history: asks for a run, which whatever serves works on."""
    with process.opened(load_settings()) as runtime:
        bank_id = _named(runtime, bank)
        with runtime.database.session() as session:
            run = retro.start(
                session, bank_id, [], _CALLER, dry_run=not apply, thresholds={}, now=runtime.clock()
            )  # fmt: skip
            out.print(f"run {run.id} waits; see GET /v1/runs/{run.id}", markup=False)


def _named(runtime: Runtime, name: str) -> UUID:
    """A bank by its id or its name."""
    with runtime.database.session() as session:
        for bank in catalogue.visible(session, _CALLER):
            if name in (str(bank.id), bank.name):
                return bank.id
    raise NotFound(f"there is no bank {name!r}")
