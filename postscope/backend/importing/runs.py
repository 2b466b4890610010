"""How far an import has come: a row that is written in the transaction of each batch."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend.errors import Conflict
from postscope.backend.tables import ImportRun

_ENDS: Final = 1024 * 1024
_COUNTS: Final = ("accepted", "updated", "unchanged", "rejected")


class Begun(StrEnum):
    """How an import began."""

    FRESH = "fresh"
    RESUMED = "resumed"
    AGAIN = "again"


def fingerprint(path: Path, file_format: str) -> str:
    """What a file is known by, wherever it lies: format, size, and SHA-256 of its first and last MiB (64 digits)."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        digest = hashlib.sha256(f"{file_format}\n{size}\n".encode())
        file.seek(0)
        digest.update(file.read(_ENDS))
        file.seek(max(0, size - _ENDS))
        digest.update(file.read(_ENDS))
    return digest.hexdigest()


def begin(session: Session, mark: str, path: Path, *, now: datetime) -> tuple[ImportRun, Begun]:
    """Find the run of a file or start one. One that had finished starts again from the beginning.

    Waits for a batch of a process that was just killed, should the database still be at it.
    """
    fresh = {"position": 0, "rejects_bytes": 0, "started_at": now, **dict.fromkeys(_COUNTS, 0)}
    session.execute(insert(ImportRun).values(fingerprint=mark, file=str(path), **fresh).on_conflict_do_nothing())
    run = session.get_one(ImportRun, mark, with_for_update=True)
    run.file = str(path)
    if run.finished_at is None:
        return run, Begun.RESUMED if run.position else Begun.FRESH
    run.finished_at = None
    for name, value in fresh.items():
        setattr(run, name, value)
    return run, Begun.AGAIN


def hold(session: Session, mark: str, position: int) -> ImportRun:
    """The run, locked until the transaction ends.

    Raises:
        Conflict: it is not where we left it: another process imports the same file.
    """
    run = session.get(ImportRun, mark, with_for_update=True)
    if run is None or run.position != position or run.finished_at is not None:
        raise Conflict("the same file is being imported by another process")
    return run


def count(run: ImportRun, outcomes: Counter[str]) -> None:
    """Add to the run's counts."""
    for name in _COUNTS:
        setattr(run, name, getattr(run, name) + outcomes[name])


def rows(run: ImportRun) -> int:
    """How many rows the run has dealt with."""
    return sum(getattr(run, name) for name in _COUNTS)
