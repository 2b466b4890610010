"""``postscope audit``: check the chain of the audit log."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from postscope.backend import audit
from postscope.backend.settings import load_settings
from postscope.cli import process

app = typer.Typer(no_args_is_help=True, help="The audit log.")
out = Console(soft_wrap=True)


@app.callback()
def _audit() -> None:
    """The audit log."""


@app.command()
def verify(head: Annotated[str | None, typer.Option(help="a hash that was written down earlier")] = None) -> None:
    """Compute every hash again; ends with 1, and says where, if something was changed or removed."""
    if head is not None and (len(head) != 64 or set(head) - set("0123456789abcdef")):
        raise typer.BadParameter("must be 64 hexadecimal digits", param_hint="--head")
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        found = audit.verify(session, head=bytes.fromhex(head) if head else None)
    if found.broken_at is not None:
        out.print(f"BROKEN at entry {found.broken_at}: {found.reason}", markup=False)
        raise typer.Exit(1)
    out.print(f"{found.entries} entries, intact; head {found.head.hex()}", markup=False)
