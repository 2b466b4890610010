"""Parquet: columns named as the fields of a post, nested or dotted."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.importing.rows import Row
from postscope.backend.importing.tables import check_columns, to_post

_BATCH: Final = 256
_READ_BUFFER: Final = 256 * 1024
_NAMES: Final = frozenset({"source", "external_id", "author"})


class ParquetRows:
    """Rows of a Parquet file. A position is a number of rows.

    A time without a time zone stays without one, so that the post says what is missing. Missing values and NaN are
    missing fields.
    """

    format = "parquet"

    def __init__(self, path: Path) -> None:
        self.size = os.stat(path).st_size
        try:
            # With a buffer, pages are read one after the other instead of a whole column of a row group at once.
            self._file = pq.ParquetFile(path, buffer_size=_READ_BUFFER, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise Invalid.of("file", f"is not readable as Parquet: {error}") from error
        check_columns(self._file.schema_arrow.names)
        self._count: int = self._file.metadata.num_rows

    def rows(self, position: int) -> Iterator[Row]:
        """Row after row; the row groups before ``position`` are not read."""
        groups, skip = self._groups_from(position)
        number = position - skip
        width = max(1, self.size // max(1, self._count))
        try:
            for batch in self._file.iter_batches(_BATCH, row_groups=groups):
                for record in _microseconds(batch).to_pylist(maps_as_pydicts="lossy"):
                    number += 1
                    if number > position:
                        yield _row(number, width, record)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Invalid.of("file", f"cannot be read after row {number}: {error}") from error

    def done(self, position: int) -> int:
        """The share of the file's bytes that the rows before ``position`` have of all rows."""
        return self.size * position // self._count if self._count else self.size

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _groups_from(self, position: int) -> tuple[list[int], int]:
        """The row groups to read, and how many rows of the first come before ``position``."""
        metadata = self._file.metadata
        before = 0
        for group in range(metadata.num_row_groups):
            count = metadata.row_group(group).num_rows
            if before + count > position:
                return list(range(group, metadata.num_row_groups)), position - before
            before += count
        return [], 0


def _microseconds(batch: Any) -> Any:
    """Nanoseconds, which Python's times do not have, are cut off."""
    columns = []
    for column in batch.columns:
        kind = column.type
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            columns.append(column.cast(pa.timestamp("us", kind.tz), safe=False))
        else:
            columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _row(number: int, width: int, record: dict[str, Any]) -> Row:
    problems: list[FieldProblem] = []
    plain = {name: _plain(name, value, problems) for name, value in record.items()}
    post, more = to_post({name.strip(): _name(name.strip(), value) for name, value in plain.items()})
    problems += more
    size = max(width, sum(len(value) for value in plain.values() if isinstance(value, str)))
    return Row(number, number, size, plain, None if problems else post, tuple(problems))


def _name(column: str, value: Any) -> Any:
    """Ids are often kept as whole numbers in tables; a post has names."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if whole and column in _NAMES else value


def _plain(path: str, value: Any, problems: list[FieldProblem]) -> Any:
    """The value as JSON has it; None for what is missing."""
    match value:
        case dict():
            inner = {str(key): _plain(f"{path}.{key}", item, problems) for key, item in value.items()}
            return {key: item for key, item in inner.items() if item is not None}
        case list():
            return [_plain(f"{path}.{index}", item, problems) for index, item in enumerate(value)]
        case float():
            return None if math.isnan(value) else value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                problems.append(FieldProblem(path, "is binary, not text"))
                return repr(value[:100])
        case str() | int() | None:
            return value
        case _:
            return str(value)
