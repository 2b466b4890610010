"""Rows as CSV and Parquet. A spreadsheet must not run what a post or a source is called."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from postscope.backend.trends.requests import Format

Cell: TypeAlias = str | int | float | datetime | bool | None
Row: TypeAlias = Mapping[str, Cell]

MIME: Final[Mapping[Format, str]] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_STARTS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def chosen_format(asked: Format | None, accept: str) -> Format:
    """What ``format`` says, else what ``Accept`` does (the first of ours that it names), else JSON."""
    if asked is not None:
        return asked
    for part in accept.lower().split(","):
        kind = part.split(";")[0].strip()
        if kind in ("text/csv", "application/csv"):
            return "csv"
        if kind in ("application/vnd.apache.parquet", "application/x-parquet", "application/parquet"):
            return "parquet"
        if kind == "application/json":
            return "json"
    return "json"


def columns(rows: Sequence[Row]) -> list[str]:
    """Every name that some row has, in the order of its first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def to_csv(rows: Sequence[Row]) -> bytes:
    """CSV (RFC 4180) with a header. Text that a spreadsheet would take for a formula gets a ``'`` before it (OWASP,
    "CSV injection"); numbers stay as they are."""
    names, out = columns(rows), io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([_inert(name) for name in names])
    writer.writerows([_shown(row.get(name)) for name in names] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


def to_parquet(rows: Sequence[Row]) -> bytes:
    """Parquet, with times as microseconds in UTC. A column's type is that of its first value."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {datetime: pa.timestamp("us", tz="UTC"), str: pa.string(), int: pa.int64(), float: pa.float64()}
    types[bool] = pa.bool_()
    arrays = {}
    for name in columns(rows):
        values = [row.get(name) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        kind = float if kinds == {int, float} else next(iter(kinds), str)
        arrays[name] = pa.array(values, types[kind])
    out = io.BytesIO()
    pq.write_table(pa.table(arrays), out, compression="zstd")
    return out.getvalue()


def _shown(value: Cell) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return _inert(value) if isinstance(value, str) else value


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(_STARTS_FORMULA) else text
