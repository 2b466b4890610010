"""What a reader hands on: one row of a file, or why it is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from postscope.backend.errors import FieldProblem

MAX_ROW_BYTES = 10 * 1024 * 1024
"""A longer line is rejected without being held in memory."""

SHOWN_BYTES = 10_000
"""How much of a row that could not be read is shown in the file of rejected rows."""

NEEDED = ("source", "external_id", "created_at")
"""Columns without which no row of a table could be a post."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        line: where it begins, counted from 1: the line of a text file, the row of a Parquet file.
        end: the position to read on from after it.
        size: about how many bytes it takes.
        original: the row as it stands in the file: an object, or text where it could not be read.
        post: the row as ``POST /v1/posts`` takes it; None where ``problems`` say why it is none.
        problems: what is wrong with it as far as can be told from the row alone.
    """

    line: int
    end: int
    size: int
    original: Any
    post: dict[str, Any] | None = None
    problems: tuple[FieldProblem, ...] = ()


class Source(Protocol):
    """An open file of rows, read in constant memory."""

    @property
    def format(self) -> str:
        """``jsonl``, ``jsonl.gz``, ``csv``, ``csv.gz`` or ``parquet``."""
        ...

    @property
    def size(self) -> int:
        """Bytes of the file."""
        ...

    def rows(self, position: int) -> Iterator[Row]:
        """The rows from a position on: 0, or the ``end`` of a row that came before.

        Raises:
            Invalid: the file is damaged from here on; the rows that came out before are good.
        """
        ...

    def done(self, position: int) -> int:
        """How many of the file's bytes lie before a position that was reached."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...
