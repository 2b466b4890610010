"""Pictures that do to the process that opens them what the worst ones would, by what follows their end.

No decoder that is in use is known to have such a hole; so the jobs of the sandbox are replaced by these, which have.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from postscope.indexing.media.decoding import picture_jobs
from postscope.indexing.media.decoding.picture_jobs import Emit, Job
from postscope.indexing.media.sandbox import pool
from tests.media_files import sound

LOOP, SLEEP, ALLOCATE, CRASH, LIE, FLOOD = (
    sound("JPEG") + what for what in (b"LOOP", b"SLEEP", b"ALLOCATE", b"CRASH", b"LIE", b"FLOOD")
)


def use(patch: pytest.MonkeyPatch) -> None:
    """From now on new processes for pictures have the holes."""
    patch.setitem(pool.JOBS, "pictures", __name__)


def open_jobs() -> dict[str, Job]:
    """As those of ``picture_jobs``, with holes."""
    return {name: _holed(job) for name, job in picture_jobs.open_jobs().items()}


def _holed(job: Job) -> Job:
    def run(file: int, params: dict[str, Any], emit: Emit) -> dict[str, Any]:
        end = os.pread(file, os.fstat(file).st_size, 0)[-8:]
        if end.endswith(b"LOOP"):
            while True:
                pass
        if end.endswith(b"SLEEP"):
            time.sleep(3_600)
        if end.endswith(b"ALLOCATE"):
            kept = []
            while True:
                kept.append(bytearray(32 * 1024 * 1024))
        if end.endswith(b"CRASH"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if end.endswith(b"LIE"):
            emit({"width": 10**9, "height": -1}, b"\0" * 30)
            return {"mime": 7, "width": "wide", "height": None, "frames": True, "mislabelled": {}}
        if end.endswith(b"FLOOD"):
            while True:
                emit({"width": 64, "height": 48}, bytes(16 * 1024 * 1024))
        return job(file, params, emit)

    return run
