"""Processes that decode and hear, in the hands of the file that they were given: they say what makes no sense."""

from __future__ import annotations

import os
from typing import Any

import pytest

from postscope.indexing.media.decoding import jobs
from postscope.indexing.media.decoding.jobs import Emit, Job
from postscope.indexing.media.sandbox import pool

ABOUT, FRAMES, FLOOD = b"ABOUT", b"FRAMES", b"FLOOD"


def use(patch: pytest.MonkeyPatch) -> None:
    """From now on new processes are in the hands of files that end with one of these words."""
    patch.setitem(pool.JOBS, "media", __name__)
    patch.setitem(pool.JOBS, "speech", __name__)


def open_jobs() -> dict[str, Job]:
    """As those of the processes that decode, and one that hears."""
    return {name: _lying(name, job) for name, job in jobs.open_jobs().items()} | {"hear": _heard}


def _lying(name: str, job: Job) -> Job:
    def run(file: int, params: dict[str, Any], emit: Emit) -> dict[str, Any]:
        end = os.pread(file, os.fstat(file).st_size, 0)[-8:]
        if name == "about" and end.endswith(ABOUT):
            emit({"video": 7}, b"")
            return {"video": "yes", "audio": [], "duration": "long"}
        if name == "frames" and end.endswith(FRAMES):
            return {"problem": {}, "duration": True, "width": None}
        if name == "frames" and end.endswith(FLOOD):
            while True:
                emit({"seconds": 0.0}, bytes(16 * 1024 * 1024))
        return job(file, params, emit)

    return run


def _heard(_file: int, _params: dict[str, Any], emit: Emit) -> dict[str, Any]:
    emit({"start": "soon", "end": None, "text": 1, "words": [{}], "language": [], "confidence": -1}, b"")
    return {"outcome": "speech"}
