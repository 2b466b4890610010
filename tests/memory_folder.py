"""Temporary files of a run in memory, where there is enough of it: a third of the time of most tests is the disk's."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
NEEDED = 6 * 2**30
"""Bytes that are free there, and as many again in memory, before it is used."""
_NAME = "postscope-tests-"


@contextmanager
def temporary_files_in_memory() -> Iterator[None]:
    """For the length of the block, ``tempfile`` and child processes use a folder in memory if there is room."""
    if not _room():
        yield
        return
    _forget_killed_runs()
    folder = Path(tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-", dir=MEMORY))
    folder.chmod(0o755)  # the database has an account of its own
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = None
        os.environ.pop("TMPDIR")
        if before is not None:
            os.environ["TMPDIR"] = before
        shutil.rmtree(folder, ignore_errors=True)


def _room() -> bool:
    try:
        there = os.statvfs(MEMORY)
        available = next(line for line in Path("/proc/meminfo").read_text().splitlines() if "MemAvailable" in line)
    except (OSError, StopIteration):
        return False
    return there.f_bavail * there.f_frsize >= NEEDED and int(available.split()[1]) * 1024 >= 2 * NEEDED


def _forget_killed_runs() -> None:
    """What runs left there that ended without a word; memory is too dear for it."""
    for left in MEMORY.glob(f"{_NAME}*"):
        if not Path("/proc", left.name.removeprefix(_NAME).partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
