"""``postscope dedupe``: look for copies in the whole history."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from postscope.backend.auth import Role
from postscope.backend.settings import load_settings
from postscope.cli import process, runs

out = Console(soft_wrap=True)


def dedupe(
    dry_run: Annotated[bool, typer.Option(help="change nothing, and tell how many posts are copies")] = False,
) -> None:
    """Look for the copies of every post; killed in between, the run goes on where it was."""
    with process.opened(load_settings()) as runtime:
        readers = (Role.PRODUCT, Role.MODERATOR, Role.ANALYST)
        run = runs.perform(
            runtime, "duplicates.sweep", {"dry_run": dry_run}, readers=readers, exclusive="duplicates.sweep"
        )
    for name, value in (run.result or {}).items():
        out.print(f"{name}: {value}", markup=False)
