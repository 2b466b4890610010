"""Reading that takes for ever where a picture is red, and finds one word elsewhere; it loads no networks, which takes
seconds."""

from __future__ import annotations

import time
from typing import Any

import pytest

from postscope.indexing.media.decoding.jobs import Emit, Job
from postscope.indexing.media.sandbox import pool

BOX = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


def use(patch: pytest.MonkeyPatch) -> None:
    """From now on new processes that read are these."""
    patch.setitem(pool.JOBS, "reading", __name__)


def open_jobs() -> dict[str, Job]:
    """As those of ``reading_jobs``."""
    return {"load": lambda _file, _params, _emit: {}, "read": _read}


def _read(file: int, _params: dict[str, Any], emit: Emit) -> dict[str, Any]:
    with open(file, "rb", closefd=False) as pixels:
        pixels.seek(0)
        red, green, blue = pixels.read(3)
    if red > 180 > green + blue:
        time.sleep(3_600)
    emit({"text": "WORD", "boxes": [BOX], "confidence": 0.95}, b"")
    return {}
