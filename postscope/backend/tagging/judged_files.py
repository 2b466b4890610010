"""Judgements from files: JSONL and CSV. A file that is wrong anywhere is refused as a whole, each line with its reason.

A row names a post by ``post_id``, or by ``source`` and ``external_id``, and has either ``labels`` (all that the post
has; in CSV separated by ``|``) or ``label`` and ``value`` (true or false; that one alone).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

import orjson

from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.tagging.definitions import invalid
from postscope.backend.tagging.judgements import Judgement
from postscope.backend.tagging.reading import SEPARATOR

MAX_ROWS: Final = 200_000
_FIELDS: Final = frozenset({"post_id", "source", "external_id", "labels", "label", "value"})
_VALUES: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read_judgements(data: bytes, filename: str) -> list[Judgement]:
    """The judgements in a file.

    Raises:
        Invalid: it is no such file, or a line is not understood; names the lines.
    """
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid.of("file", f"is not UTF-8 (byte {error.start + 1})") from None
    ending = filename.rsplit(".", 1)[-1].lower()
    if ending not in ("jsonl", "csv"):
        raise Invalid.of("file", "must end in .jsonl or .csv")
    found, problems = [], []
    for line, row in _json_lines(content) if ending == "jsonl" else _csv_lines(content):
        judgement = row if isinstance(row, str) else _judgement(f"line {line}", row)
        if isinstance(judgement, str):
            problems.append(FieldProblem(f"line {line}", judgement))
        else:
            found.append(judgement)
        if len(found) > MAX_ROWS:
            raise Invalid.of("file", f"has more than {MAX_ROWS} rows")
    if problems:
        raise invalid(problems)
    if not found:
        raise Invalid.of("file", "has no rows")
    return found


def _json_lines(content: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield number, f"is not JSON: {error}"


def _csv_lines(content: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                yield reader.line_num, "does not have as many cells as the header"
                continue
            cells = {name: cell.strip() for name, cell in row.items()}
            labels = cells.pop("labels", None)
            found: dict[str, Any] = {name: cell for name, cell in cells.items() if cell}
            if labels is not None and "label" not in found:
                found["labels"] = [label.strip() for label in labels.split(SEPARATOR) if label.strip()]
            yield reader.line_num, found
    except csv.Error as error:
        yield reader.line_num, str(error)


def _judgement(field: str, row: Any) -> Judgement | str:
    if not isinstance(row, Mapping):
        return "is not an object"
    if unknown := sorted(set(row) - _FIELDS):
        return f"has an unknown field {unknown[0]!r}"
    post = _post(row)
    if isinstance(post, str):
        return post
    post_id, known_as = post
    if ("labels" in row) == ("label" in row):
        return "give either labels or label"
    if "labels" in row:
        labels = row["labels"]
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            return "labels must be a list of labels"
        if "value" in row:
            return "value belongs to label"
        return Judgement(field, post_id, known_as, tuple(labels))
    value = _VALUES.get(str(row.get("value", True)).lower())
    if value is None:
        return "value must be true or false"
    return Judgement(field, post_id, known_as, label=str(row["label"]), value=value)


def _post(row: Mapping[str, Any]) -> tuple[UUID | None, tuple[str, str] | None] | str:
    if "post_id" in row:
        if "source" in row or "external_id" in row:
            return "give either post_id, or source and external_id"
        try:
            return UUID(str(row["post_id"])), None
        except ValueError:
            return "post_id is no id of a post"
    if "source" not in row or "external_id" not in row:
        return "give post_id, or source and external_id"
    return None, (str(row["source"]), str(row["external_id"]))
