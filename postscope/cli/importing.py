"""``postscope import``: a file of posts into the database; a running server or worker indexes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from sqlalchemy.orm import Session

from postscope.backend.importing.media_files import keep_in
from postscope.backend.importing.progress import ImportBar
from postscope.backend.importing.running import ImportSummary, run_import
from postscope.backend.importing.stopping import stop_on_interrupt
from postscope.backend.posts import Verdict
from postscope.backend.runtime import Runtime
from postscope.backend.settings import load_settings
from postscope.cli import process
from postscope.sample import sample_dir

out = Console(highlight=False, soft_wrap=True)


def import_file(
    file: Path,
    batch: Annotated[int, typer.Option(min=1, max=1_000, help="posts a transaction")] = 500,
    rejects: Annotated[Path | None, typer.Option(help="folder of the file of rejected rows")] = None,
) -> None:
    """Import posts from JSONL, CSV (both also gzipped) or Parquet; killed in between, run it again to go on."""
    with process.opened(load_settings()) as runtime:
        summary = import_posts(runtime, file, batch=batch, rejects=rejects)
    report(summary)
    if not summary.finished:
        raise typer.Exit(130)


def import_posts(runtime: Runtime, file: Path, *, batch: int = 500, rejects: Path | None = None) -> ImportSummary:
    """Import with a progress bar; Ctrl-C ends it after the batch."""

    def create(session: Session, rows: Sequence[dict[str, Any]], /) -> Sequence[Verdict]:
        return runtime.posts.create(session, rows, now=runtime.clock())

    keep = keep_in(
        runtime.blobs,
        max_bytes=runtime.settings.media.max_bytes,
        clock=runtime.clock,
        inspect=runtime.stills.inspect,
    )
    with ImportBar(file.name, out) as bar, stop_on_interrupt() as stop:
        return run_import(
            file,
            database=runtime.database,
            create_posts=create,
            clock=runtime.clock,
            progress=bar,
            batch=batch,
            keep_file=keep,
            rejects_dir=rejects,
            stop=stop,
        )


def import_sample(runtime: Runtime) -> None:
    """Import the sample that ships with the package."""
    report(import_posts(runtime, sample_dir() / "posts.jsonl"))


def report(summary: ImportSummary) -> None:
    """Say what became of the file."""
    out.print(
        f"{summary.rows} rows: {summary.accepted} accepted, {summary.updated} updated, "
        f"{summary.unchanged} unchanged, {summary.rejected} rejected"
    )
    if summary.rejects is not None:
        out.print(f"rejected rows, with reasons: {summary.rejects}", markup=False)
    if not summary.finished:
        out.print("stopped; run the same command again to go on")
