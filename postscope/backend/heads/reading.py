"""Judgements from a file: JSONL or CSV, one a line, checked as a whole before any is kept."""

from __future__ import annotations

import csv
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
        Invalid: lines are wrong; each problem names its line.
    """
    found: list[Judgement] = []
    problems: list[FieldProblem] = []
    for line, row in _rows(path):
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


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                yield reader.line_num, {name: value for name, value in row.items() if name and value not in (None, "")}
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield number, orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    yield number, error


def _judgement(row: Any) -> Judgement:
    if not isinstance(row, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004 - a wrong line like any other
    unknown = sorted(set(row) - set(COLUMNS))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}; there are {', '.join(COLUMNS)}")
    identity = (str(row["source"]), str(row["external_id"])) if "source" in row and "external_id" in row else None
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
    return Judgement(post_id, identity, str(row.get("label", "")), value)
