"""JSONL: one JSON object a line, plain or gzipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from postscope.backend.errors import FieldProblem
from postscope.backend.importing.lines import Line, TextFile, shown, undecodable
from postscope.backend.importing.rows import MAX_ROW_BYTES, Row


class JsonLines:
    """Rows of a JSONL file. Empty lines are passed over."""

    def __init__(self, path: Path, *, packed: bool) -> None:
        self._file = TextFile(path, packed=packed)
        self.format = "jsonl.gz" if packed else "jsonl"
        self.size = self._file.size
        self.done = self._file.done
        self.close = self._file.close

    def rows(self, position: int) -> Iterator[Row]:
        """One row a line that is not empty."""
        for line in self._file.lines(position):
            if line.too_long or line.data.strip():
                yield _row(line)


def _row(line: Line) -> Row:
    reason, value = None, None
    if line.too_long:
        reason = f"is longer than {MAX_ROW_BYTES} bytes"
    else:
        try:
            value = orjson.loads(line.data)
        except orjson.JSONDecodeError as error:
            reason = undecodable(line.data) or f"is not JSON: {error}"
        else:
            if not isinstance(value, dict):
                reason = "must be a JSON object"
    if reason:
        problem = FieldProblem("line", reason)
        return Row(line.number, line.end, len(line.data), shown(line.data), problems=(problem,))
    return Row(line.number, line.end, line.length, value, post=value)
