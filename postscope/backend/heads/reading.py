"""Judgements from a file: JSONL or CSV, one a line, checked as a whole before any is kept."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.heads.judging import MAX_SHOWN, Judgement

COLUMNS = ("post_id", "source", "external_id", "label", "value")


def read_judgements(path: Path) -> list[Judgement]:
    """All of a file, named by ``post_id`` or by ``source`` and ``external_id``, with ``label`` or ``value``.

    Raises:
        Invalid: it is no such file, or lines are wrong; each problem names its line.
    """
    found: list[Judgement] = []
    problems: list[FieldProblem] = []
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"{path.name}: is not UTF-8 (byte {error.start + 1})") from None
    rows = _csv_rows(content) if path.suffix.lower() == ".csv" else _json_rows(content)
    for line, row in rows:
        try:
            found.append(_judgement(row))
        except ValueError as error:
            problems.append(FieldProblem(f"line {line}", str(error)))
    if problems:
        shown = "; ".join(f"{problem.field}: {problem.reason}" for problem in problems[:MAX_SHOWN])
        raise Invalid(f"{path.name}: {len(problems)} wrong lines ({shown}); nothing was kept", problems=problems)
    if not found:
        raise Invalid(f"{path.name}: there is no judgement in it")
    return found


def _csv_rows(content: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    try:
        for row in reader:
            if None in row:
                yield reader.line_num, ValueError("has more cells than the header")
            else:
                yield reader.line_num, {name: value for name, value in row.items() if value not in (None, "")}
    except csv.Error as error:
        yield reader.line_num, ValueError(f"is no CSV: {error}")


def _json_rows(content: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield number, ValueError(f"is no JSON: {error}")


def _judgement(row: Any) -> Judgement:
    if isinstance(row, ValueError):
        raise row
    if not isinstance(row, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004 - a wrong line like any other
    row = {name: value for name, value in row.items() if value is not None}
    unknown = sorted(set(row) - set(COLUMNS))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}; there are {', '.join(COLUMNS)}")
    identity = (_text(row, "source"), _text(row, "external_id")) if "source" in row and "external_id" in row else None
    if (identity is None) == ("post_id" not in row):
        raise ValueError("must have post_id, or source and external_id")
    try:
        post_id = uuid.UUID(str(row["post_id"])) if identity is None else None
    except ValueError as error:
        raise ValueError(f"post_id {row['post_id']!r} is no UUID") from error
    try:
        value = float(row.get("value", 1.0))
    except (TypeError, ValueError) as error:
        raise ValueError(f"value {row['value']!r} is no number") from error
    return Judgement(post_id, identity, _text(row, "label") if "label" in row else "", value)


def _text(row: dict[str, Any], name: str) -> str:
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"{name} {value!r} is no text")  # noqa: TRY004
    return str(value)
