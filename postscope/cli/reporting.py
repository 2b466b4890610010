"""``postscope report``: the trend report as a file."""

from __future__ import annotations

import os
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.settings import load_settings
from postscope.backend.trends.report.content import ReportQuery, read_report
from postscope.backend.trends.report.page import report_page
from postscope.backend.trends.report.printing import print_pdf
from postscope.cli import process
from postscope.indexing.buckets import zone_of

out = Console(soft_wrap=True)


def report(
    since: Annotated[
        str | None, typer.Option("--from", help="such as 2026-03-01T00:00:00Z; a date is its start")
    ] = None,
    to: Annotated[str | None, typer.Option(help="by default now; a date is its start")] = None,
    source: Annotated[list[str] | None, typer.Option(help="may be given several times")] = None,
    language: Annotated[list[str] | None, typer.Option(help="may be given several times")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="may be given several times")] = None,
    tz: Annotated[str, typer.Option(help="IANA time zone")] = "UTC",
    limit: Annotated[int, typer.Option(help="topics shown of each list")] = 6,
    html: Annotated[Path | None, typer.Option("--out", help="write the page here")] = None,
    pdf: Annotated[Path | None, typer.Option(help="print it here too; needs Chromium")] = None,
    base: Annotated[str | None, typer.Option(help="address of the service, for the links")] = None,
) -> None:
    """Write the trend report as one HTML page, as PDF, or both; without either, to trend-report.html."""
    given = {"source": source, "language": language, "tag": tag, "from": _time(since, tz), "to": _time(to, tz)}
    asked = _asked({name: value for name, value in given.items() if value} | {"tz": tz, "limit": limit})
    settings = load_settings()
    with process.opened(settings) as runtime:
        found = read_report(runtime, asked)
    page = report_page(found, base=base or f"http://{settings.api.host}:{settings.api.port}")
    if html is None and pdf is None:
        html = Path("trend-report.html")
    if html is not None:
        _write(html, page.encode(), "out")
    if pdf is not None:
        _write(pdf, print_pdf(page), "pdf")
    history = "" if all(one.enough_history for one in found.rankings.values()) else "; the history is too short to tell"
    out.print(f"{found.timeline.total.posts} posts, {len(found.stories)} topics shown{history}")


def _time(said: str | None, tz: str) -> str | None:
    """A date alone means its start, in the time zone of the report; what is no date or zone is told by the query."""
    try:
        return said and datetime.combine(date.fromisoformat(said), time(), zone_of(tz)).isoformat()
    except ValueError:
        return said


def _asked(given: dict[str, Any]) -> ReportQuery:
    try:
        return ReportQuery.model_validate(given)
    except ValidationError as error:
        problems = [FieldProblem(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
        first = problems[0]
        raise Invalid(f"{first.field}: {first.reason}", problems=problems) from error


def _write(file: Path, content: bytes, option: str) -> None:
    """All of it or nothing."""
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise Invalid.of(option, f"cannot be written: {error.strerror or error}") from error
    out.print(f"written: {file}", markup=False)
