"""``postscope evaluate``: how well it works, measured on streams whose truth is known."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from postscope.backend.models import SpaceModel
from postscope.backend.settings import load_settings
from postscope.cli import process
from postscope.indexing.normalise import normalise
from postscope.indexing.trend_replay.replaying import (
    Found,
    at_rate,
    early_warning,
    judge,
    nearest_topics,
    z_scores,
)
from postscope.indexing.trend_replay.stream import Stream, draw_stream
from postscope.indexing.trend_replay.sweeping import sweep, talk_alone
from postscope.indexing.types import Vectors

app = typer.Typer(no_args_is_help=True, help="Measure on streams and sets whose truth is known.")
out = Console(soft_wrap=True)
notes = Console(stderr=True, soft_wrap=True)

SLICE = 64


@app.callback()
def _evaluate() -> None:
    """Measure on streams and sets whose truth is known."""


@app.command()
def trends(
    seed: Annotated[int, typer.Option(help="of the stream")] = 100,
    days: Annotated[int, typer.Option(min=16, max=365, help="the first 14 have no bursts")] = 42,
    talk: Annotated[int, typer.Option(min=20, max=20_000, help="posts of everyday talk a day")] = 300,
    bursts: Annotated[int, typer.Option(min=1, max=500, help="that are planted, of 10 to 500 posts")] = 64,
    budget: Annotated[float, typer.Option(min=0.01, max=1_000, help="false alarms a day, of all detectors")] = 1.0,
    sweep_minutes: Annotated[
        int, typer.Option(min=1, max=1_440, help="between two sweeps over known topics; 15 in service")
    ] = 60,
    background: Annotated[
        Path | None, typer.Option(help="JSONL (also gzipped) with text and label: real texts in place of talk")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Replay a stream with planted bursts, and compare the early warning with a plain z-score on topic counts.

    The sweep over the counts of known topics is replayed on the talk alone: whatever it raises there is false.
    """
    if background is not None and not background.is_file():
        raise typer.BadParameter("there is no such file", param_hint="--background")
    try:
        themes = _themes(background) if background else ()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"cannot be read: {error}", param_hint="--background") from error
    stream = draw_stream(seed, days=days, talk_a_day=talk, bursts=bursts, background=themes)
    notes.print(f"{len(stream.texts)} posts, {bursts} bursts, encoding")
    with process.opened(load_settings()) as runtime:
        vectors = _encode(runtime.live, stream.texts)
    notes.print("replaying")
    quiet, placed = talk_alone(stream, vectors)
    swept = sweep(quiet, placed, nearest_topics(quiet, placed), budget=budget, minutes=sweep_minutes)
    found = {
        "early warning": judge(stream, early_warning(stream, vectors, budget=budget)),
        "z-score": at_rate(stream, z_scores(stream, vectors), budget),
    }
    sweeps = judge(quiet, swept)
    if as_json:
        out.print_json(json.dumps(_figures(stream, found, sweeps, budget)), highlight=False)
        return
    out.print(_table(stream, found))
    both = found["early warning"].false_a_day + sweeps.false_a_day
    out.print(
        f"sweep over known topics, talk alone, every {sweep_minutes} min: {sweeps.false_a_day:.2f} false a day; with "
        f"the early warning {both:.2f}, budget {budget:g}"
    )


def _themes(path: Path) -> Sequence[Sequence[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                found[str(row["label"])].append(str(row["text"]))
            except (ValueError, KeyError, TypeError) as error:
                raise typer.BadParameter(f"line {number} has no text and label", param_hint="--background") from error
    if not found:
        raise typer.BadParameter("has no posts", param_hint="--background")
    return [found[label] for label in sorted(found)]


def _encode(model: SpaceModel, texts: Sequence[str]) -> Vectors:
    distinct = sorted({normalise(text) or "-" for text in texts}, key=len)
    known: dict[str, np.ndarray] = {}
    for at in range(0, len(distinct), SLICE):
        part = distinct[at : at + SLICE]
        known.update(zip(part, model.calibration.centre_texts(model.encoder.encode_texts(part)), strict=True))
    return np.array([known[normalise(text) or "-"] for text in texts], np.float32)


def _table(stream: Stream, found: dict[str, Found]) -> Table:
    table = Table("", *found)
    rows: dict[str, Callable[[Found], str]] = {
        "false alarms a day": lambda one: f"{one.false_a_day:.2f}",
        "precision": lambda one: f"{one.precision:.3f}",
        "recall, 10 to 29 posts": lambda one: f"{one.recall(stream.bursts, 10, 30):.3f}",
        "recall, 30 posts and more": lambda one: f"{one.recall(stream.bursts, 30):.3f}",
        "median delay": lambda one: f"{one.median_delay:.1f} h" if one.delays else "-",
        "bursts found": lambda one: str(len(one.delays)),
        "repeated alarms on them": lambda one: str(one.repeated),
        "floods marked": lambda one: f"{one.marked[0]} of {one.marked[1]}",
    }
    for name, tell in rows.items():
        table.add_row(name, *map(tell, found.values()))
    return table


def _figures(stream: Stream, found: dict[str, Found], sweeps: Found, budget: float) -> dict[str, Any]:
    """The same for machines; what cannot be told is null."""
    detectors = {
        name: {
            "false_a_day": one.false_a_day,
            "precision": one.precision,
            "recall_10_to_29": one.recall(stream.bursts, 10, 30),
            "recall_30_and_more": one.recall(stream.bursts, 30),
            "median_delay_hours": one.median_delay if one.delays else None,
            "found": len(one.delays),
            "repeated": one.repeated,
            "floods_marked": one.marked[0],
            "floods": one.marked[1],
        }
        for name, one in found.items()
    }
    return {
        "posts": len(stream.texts),
        "bursts": sum(not burst.flood for burst in stream.bursts),
        "budget_a_day": budget,
        "days": found["early warning"].days,
        "detectors": detectors,
        "sweep": {"false_a_day": sweeps.false_a_day},
    }
