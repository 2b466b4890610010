"""``postscope tags``: taxonomies from files, onto posts, and how good they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from postscope.backend.auth import Role
from postscope.backend.errors import Invalid
from postscope.backend.settings import load_settings
from postscope.backend.tables import TaxonomyVersion
from postscope.backend.tagging import calibrating, ending, judged_files, judgements, reading, taxonomies
from postscope.backend.tagging.report_page import report_page
from postscope.cli import process
from postscope.cli.runs import OPERATOR, perform

app = typer.Typer(no_args_is_help=True, help="Taxonomies and tags.")
out = Console(soft_wrap=True, markup=False)

READERS = (Role.PRODUCT, Role.ANALYST, Role.MODERATOR)
Version = Annotated[int | None, typer.Option(help="by default the live version, or the newest")]


@app.command("import")
def import_taxonomy(
    name: str, file: Path, exclusive: Annotated[bool, typer.Option(help="for CSV, which cannot say it")] = False
) -> None:
    """Make a taxonomy, or a new version of one, from YAML, JSON or CSV."""
    definition, origin = reading.read_taxonomy(_bytes(file), file.name, exclusive=exclusive)
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        version = taxonomies.put(session, name, definition, origin=origin, actor=OPERATOR.name, now=runtime.clock())
        out.print(f"{name}: version {version.number} is a draft until it is applied")


@app.command()
def label(name: str, file: Path, skip_unknown: bool = False) -> None:
    """Import what people said of posts, from JSONL or CSV."""
    said = judged_files.read_judgements(_bytes(file), file.name)
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        kept = judgements.keep(
            session, name, said, source="upload", actor=OPERATOR.name, now=runtime.clock(), skip_unknown=skip_unknown
        )
    out.print(f"{kept.posts} posts judged, {kept.skipped} rows passed over")


@app.command()
def apply(name: str, version: Annotated[int | None, typer.Option(help="by default the newest")] = None) -> None:
    """Tag every post, then make the version live."""
    with process.opened(load_settings()) as runtime:
        with runtime.database.session() as session:
            if version is None:
                version = taxonomies.newest_number(session, name)
            chosen = taxonomies.get_version(session, name, version)
            params = {"version_id": chosen.id, "taxonomy": name, "version": chosen.number}
            only = f"taxonomy:{chosen.taxonomy_id}"
        run = perform(runtime, "tags.apply", params, readers=READERS, exclusive=only)
    out.print(f"{name}: version {chosen.number} is live; {run.result}")


@app.command()
def withdraw(name: str) -> None:
    """Show a taxonomy no more; it can be applied again."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        version = ending.withdraw(session, name, actor=OPERATOR.name, now=runtime.clock())
        out.print(f"{name}: version {version.number} is not live any more")


@app.command()
def calibrate(name: str, version: Version = None, seed: int = 0) -> None:
    """Fit thresholds to what people said."""
    with process.opened(load_settings()) as runtime:
        with runtime.database.session() as session:
            chosen = taxonomies.get_version(session, name, version)
            params = {"version_id": chosen.id, "taxonomy": name, "version": chosen.number, "seed": seed}
            only = f"taxonomy:{chosen.taxonomy_id}"
        run = perform(runtime, "tags.calibrate", params, readers=READERS, exclusive=only)
    out.print(run.result)


@app.command()
def report(
    name: str, version: Version = None, html: Annotated[Path | None, typer.Option(help="write the page here")] = None
) -> None:
    """How good a taxonomy is, as its newest calibration found."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        found = calibrating.report_of(session, name, version)
        number = session.get_one(TaxonomyVersion, found.version_id).number
    content = found.report
    if html is not None:
        html.write_text(report_page(name, number, content), encoding="utf-8")
    columns = ("label", "threshold", "precision", "recall", "F0.5", "95%", "posts", "threshold is")
    table = Table(*columns, title=f"{name}, version {number}")
    for item in content["labels"]:
        low, high = item["f05_interval"]
        figures = (item["threshold"], item["precision"], item["recall"], item["f05"])
        table.add_row(
            item["label"], *(f"{value:.2f}" for value in figures), f"{low:.2f}-{high:.2f}", str(item["support"]),
            item["reason"] or "fitted",
        )  # fmt: skip
    out.print(table)
    out.print(f"weighted F0.5 {content['weighted_f05']}, expected calibration error {content['calibration']['ece']}")


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Invalid.of("file", f"cannot be read: {error.strerror or error}") from error
