"""A system of its own in a temporary folder, for a measurement."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from postscope.backend.models import Models, cores
from postscope.backend.runtime import Runtime
from postscope.backend.settings import load_settings
from postscope.backend.taking_apart import open_stills
from postscope.cli import process
from postscope.indexing.gate import PriorityGate
from postscope.indexing.keywords import KeywordEncoder
from postscope.sample import sample_dir


@contextmanager
def system(**overrides: Any) -> Iterator[Runtime]:
    """An embedded runtime with an empty database and store; nothing of it is left behind."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder), log_level="error", log_format="console", **overrides)
        with process.opened(settings) as runtime:
            process.prepare_space(runtime)
            yield runtime


def models_in(folder: Path) -> Models:
    """Encoders and what they need, with their calibrations in a folder."""
    settings = load_settings(data_dir=folder)
    return Models(
        settings.model_cache, KeywordEncoder(), PriorityGate(), stills=open_stills(settings, processes=cores())
    )


def originals() -> list[str]:
    """The texts of the sample's posts."""
    with (sample_dir() / "posts.jsonl").open(encoding="utf-8") as lines:
        return [post["text"] for line in lines if (post := json.loads(line)).get("text")]


def sample_texts(count: int) -> list[str]:
    """The sample's texts, repeated with a number so that no two are the same."""
    texts = originals()
    return [f"{texts[n % len(texts)]} {n // len(texts) or ''}".strip() for n in range(count)]


def posts_of(texts: list[str]) -> list[dict[str, Any]]:
    """Posts as the API takes them."""
    start = datetime(2026, 3, 2, tzinfo=UTC)
    return [
        {
            "source": "bench",
            "external_id": str(n),
            "author": f"author-{n % 997}",
            "created_at": (start + timedelta(seconds=n)).isoformat(),
            "text": words,
            "language": "en",
            "metrics": {"likes": n % 50, "views": n},
            "metadata": {"bucket": n % 1000},
        }
        for n, words in enumerate(texts)
    ]


def execute(runtime: Runtime, statement: str) -> None:
    """One SQL statement, with no transaction around it: ANALYZE and VACUUM want none."""
    with runtime.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
