"""The file of rejected rows: ``{"line": n, "reasons": [{"field", "reason"}], "row": …}``, one a line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import orjson

from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.importing.rows import Row

_SHOWN_DEPTH: Final = 64
_LEFT_OUT: Final = "…"
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS


class Rejects:
    """The rejected rows of one file. The file is made when the first row is rejected."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, offset: int, entries: Iterable[bytes]) -> int:
        """Write at ``offset`` and forget what was behind: it belongs to a batch that was not committed.

        Returns:
            The new length, on disk when this returns. A file that is shorter than ``offset`` (somebody removed it)
            is carried on from where it ends.
        """
        lines = b"".join(entries)
        size = self.path.stat().st_size if self.path.exists() else 0
        end = min(offset, size)
        if not lines:
            if size > end:
                os.truncate(self.path, end)
            return end
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.truncate(end)
            file.seek(end)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        return end + len(lines)


def entry(row: Row, problems: Sequence[FieldProblem]) -> bytes:
    """One line of the file."""
    told = {"line": row.line, "reasons": [asdict(problem) for problem in problems], "row": row.original}
    try:
        return orjson.dumps(told, default=_as_text, option=_OPTIONS)
    except orjson.JSONEncodeError:  # what it was rejected for may be what cannot be written either
        return orjson.dumps(told | {"row": _writable(row.original, _SHOWN_DEPTH)}, option=_OPTIONS)


def place_for(path: Path, fingerprint: str, fallback: Path | None) -> Path:
    """Where the rejected rows of a file go: beside it, or into ``fallback`` where nothing can be written there.

    Raises:
        Invalid: there is no place to write to.
    """
    beside = path.with_name(f"{path.name}.rejected.jsonl")
    if os.access(beside if beside.exists() else beside.parent, os.W_OK):
        return beside
    if fallback is None:
        raise Invalid.of("file", f"{beside} cannot be written: give another folder for rejected rows")
    try:
        fallback.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid.of("rejects_dir", f"{fallback} cannot be made: {error.strerror}") from error
    return fallback / f"{path.name}.{fingerprint[:12]}.rejected.jsonl"


def _writable(value: Any, levels: int) -> Any:
    """The same as far as it can be written: what lies too deep is left out, numbers of many digits become text."""
    if isinstance(value, dict):
        return {str(key): _writable(item, levels - 1) for key, item in value.items()} if levels else _LEFT_OUT
    if isinstance(value, list):
        return [_writable(item, levels - 1) for item in value] if levels else _LEFT_OUT
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return value
    return str(value)


def _as_text(value: Any) -> str:
    return str(value)
