"""``postscope heads``: train from your own judgements, look at versions, go back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import Session

from postscope.backend.heads import definitions, judging, reading, registry
from postscope.backend.heads.waiting import waits
from postscope.backend.settings import load_settings
from postscope.backend.tables import Head, HeadVersion
from postscope.backend.tagging.going_live import live_space
from postscope.cli import process, runs
from postscope.workers.head_training import KIND
from postscope.workers.head_upkeep import READERS

app = typer.Typer(no_args_is_help=True, help="Trained heads: sentiment, segments, popularity and your own.")
out = Console(markup=False)


@app.command("list")
def list_heads() -> None:
    """All heads and their versions in use."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        table = Table("head", "task", "versions", "live", "shadow", "objective", "served", "waits")
        space = live_space(session)
        for head in definitions.every(session):
            versions = registry.versions(session, head)
            live = next((version for version in versions if version.state == "live"), None)
            trial = next((version for version in versions if version.state == "shadow"), None)
            objective = _figure(live.report["held_out"]["objective"]) if live else "-"
            table.add_row(
                head.name,
                head.task,
                str(len(versions)),
                str(live.number) if live else "-",
                str(trial.number) if trial else "-",
                objective,
                str(live.served) if live else "-",
                _waits(session, head, live, space, runtime.clock()),
            )
    out.print(table)


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="sentiment, segments, popularity, or a head of your own")],
    judgements: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="JSONL or CSV to add first")
    ] = None,
    promote: Annotated[bool, typer.Option(help="make it live if it is better than the live version")] = True,
) -> None:
    """Train a head from what people have said of posts; with a file, from that too."""
    with process.opened(load_settings()) as runtime:
        if judgements is not None:
            found = reading.read_judgements(judgements)
            with runtime.database.session() as session:
                head = definitions.get_or_create(session, name, actor=runs.OPERATOR.name, now=runtime.clock())
                taken = judging.judge(
                    session, head, found, source="upload", actor=runs.OPERATOR.name, now=runtime.clock()
                )
            out.print(f"{taken.judgements} judgements of {taken.posts} posts")
        params = {"head": name, "cause": "asked", "promote": promote}
        run = runs.perform(runtime, KIND, params, readers=READERS, exclusive=f"{KIND}:{name}")
    result = run.result or {}
    state = "live" if result["live"] else "a candidate"
    out.print(f"version {result['version']} of {name} is {state}; held-out objective {_figure(result['objective'])}")


@app.command()
def rollback(name: str) -> None:
    """Go back to the version that was live before."""
    with process.opened(load_settings()) as runtime, runtime.database.session() as session:
        head = definitions.get(session, name)
        space = runtime.live.encoder.space.id
        version = registry.rollback(session, head, space=space, actor=runs.OPERATOR.name, now=runtime.clock())
        number = version.number
    out.print(f"version {number} of {name} is live")


def _figure(value: float | None) -> str:
    """None: of what was held out nothing could be told."""
    return "-" if value is None else f"{value:.3f}"


def _waits(session: Session, head: Head, live: HeadVersion | None, space: str | None, now: datetime) -> str:
    if live is None or space is None:
        return "-"
    wait = waits(session, head, stale=live.space_id != space, space=space, now=now)
    return f"{wait.because} ({wait.cause}), until {wait.until:%Y-%m-%d %H:%M}" if wait else "-"
