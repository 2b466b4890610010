"""CSV with a header: separated by commas, semicolons or tabs, plain or gzipped, quoted as in RFC 4180."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.importing.lines import Line, TextFile, shown, undecodable
from postscope.backend.importing.rows import MAX_ROW_BYTES, SHOWN_BYTES, Row
from postscope.backend.importing.tables import check_columns, to_post

_SEPARATORS: Final = ",;\t"


class _BadLine(Exception):
    """A line that cannot be part of a row."""


class _Record:
    """Hands lines to the CSV parser, which takes as many as a row has, and remembers which it took."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self.clear()

    def clear(self) -> None:
        """A new row begins."""
        self.first: Line | None = None
        self.last: Line | None = None
        self.size = 0
        self.beginning = b""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.first = self.first or line
        self.last = line
        self.size += line.length
        self.beginning += line.data[: max(0, SHOWN_BYTES - len(self.beginning))]
        if line.too_long or self.size > MAX_ROW_BYTES:
            raise _BadLine(f"is longer than {MAX_ROW_BYTES} bytes")
        if reason := undecodable(line.data):
            raise _BadLine(reason)
        return line.data.decode()

    def row(self, cells: list[str], columns: list[str]) -> Row:
        """The row of these cells."""
        assert self.first is not None
        assert self.last is not None
        if len(cells) != len(columns):
            problem = FieldProblem("line", f"has {len(cells)} cells, the header has {len(columns)}")
            return Row(self.first.number, self.last.end, self.size, cells, problems=(problem,))
        named = dict(zip(columns, cells, strict=True))
        post, problems = to_post(named)
        return Row(self.first.number, self.last.end, self.size, named, None if problems else post, tuple(problems))

    def bad(self, reason: str) -> Row:
        """The row that these lines do not make."""
        assert self.first is not None
        assert self.last is not None
        if self.last.number > self.first.number:
            reason = f"{reason} (lines {self.first.number} to {self.last.number})"
        problem = FieldProblem("line", reason)
        return Row(self.first.number, self.last.end, len(self.beginning), shown(self.beginning), problems=(problem,))


class Delimited:
    """Rows of a CSV file. Empty lines are passed over.

    Every cell is text, and stays text in ``metadata``; the fields that have a type take their values as in JSON.
    """

    def __init__(self, path: Path, *, packed: bool) -> None:
        # The parser's limit is one for the whole process, and far below what a text may have.
        csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))
        self._file = TextFile(path, packed=packed)
        self.format = "csv.gz" if packed else "csv"
        self.size = self._file.size
        self.done = self._file.done
        self.close = self._file.close

    def rows(self, position: int) -> Iterator[Row]:
        """One row a record; a record may have several lines."""
        separator, columns, body = self._header()
        record = _Record(self._file.lines(max(position, body)))
        parser = csv.reader(record, delimiter=separator, strict=True)
        while True:
            record.clear()
            try:
                cells = next(parser)
            except StopIteration:
                return
            except (csv.Error, _BadLine) as error:
                yield record.bad(str(error))
            else:
                if cells:
                    yield record.row(cells, columns)

    def _header(self) -> tuple[str, list[str], int]:
        record = _Record(self._file.lines(0))
        try:
            first = next(record)
            separator = max(_SEPARATORS, key=first.count)
            record = _Record(self._file.lines(0))
            names = next(csv.reader(record, delimiter=separator, strict=True))
        except StopIteration:
            raise Invalid.of("file", "is empty: a CSV file begins with a header") from None
        except (csv.Error, _BadLine) as error:
            raise Invalid.of("file", f"the header {error}") from None
        assert record.last is not None
        return separator, check_columns(names), record.last.end
