"""The shared real data, where it is."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"


def needed(*names: str) -> None:
    """End with a clear word where the data is absent."""
    absent = [name for name in names if not (FOLDER / name).exists()]
    if absent:
        sys.exit(f"skipped: {', '.join(absent)} of ../shared/data not found")


def rows(name: str) -> list[dict[str, Any]]:
    """The objects of a ``.jsonl`` or ``.jsonl.gz``."""
    path = FOLDER / name
    data = path.read_bytes()
    text = gzip.decompress(data) if name.endswith(".gz") else data
    return [json.loads(line) for line in text.splitlines()]
