"""``postscope models``: what is in use, whether it is what it should be, and fetching it ahead of time."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from postscope.backend import inventory
from postscope.backend.errors import NotReady
from postscope.backend.settings import load_settings
from postscope.indexing.encoders.base import EncoderError

out = Console(soft_wrap=True)


def models(
    download: Annotated[
        bool, typer.Option("--download", help="fetch what is named by settings and is not here")
    ] = False,
) -> None:
    """Every model in use with its version, licence, size, source and SHA-256, which is checked; ends with 1 where one
    is missing or changed."""
    settings = load_settings()
    if download:
        try:
            inventory.download_models(settings, tell=lambda line: out.print(line, markup=False))
        except EncoderError as error:
            raise NotReady(str(error), code="model_not_ready") from error
    found = inventory.models_in_use(settings)
    for model in found:
        table = Table(show_header=False, title=f"{model.purpose}: {model.file}", title_justify="left")
        for name, value in (
            ("version", model.version), ("licence", model.licence), ("source", model.source),
            ("size", None if model.size is None else f"{model.size:,} bytes"),
            ("SHA-256", model.sha256), ("state", model.reason or model.state),
        ):  # fmt: skip
            table.add_row(name, value or "-")
        out.print(table)
    wrong = [model.file for model in found if model.state in ("missing", "changed")]
    out.print(f"{len(found)} files, {len(found) - len(wrong)} as they should be", markup=False)
    if wrong:
        raise typer.Exit(1)
