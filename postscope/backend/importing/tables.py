"""Columns to posts: dotted names to nested objects, cells to lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.importing.rows import NEEDED

_OBJECTS = frozenset({"metrics", "metadata"})
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def check_columns(names: Iterable[str]) -> list[str]:
    """The names of a table's columns.

    Raises:
        Invalid: one has no name or two have the same, or no row could be a post without one that is missing.
    """
    columns = [name.strip() for name in names]
    if "" in columns:
        raise Invalid.of("file", f"column {columns.index('') + 1} has no name")
    doubles = sorted({name for name in columns if columns.count(name) > 1})
    if doubles:
        raise Invalid.of("file", f"two columns are named {doubles[0]!r}")
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise Invalid.of("file", f"has no column {', '.join(missing)}")
    return columns


def to_post(cells: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldProblem]]:
    """A row of named cells as a post: ``metrics.likes`` goes into ``metrics``; an empty cell is a missing field."""
    post: dict[str, Any] = {}
    problems = []
    for name, cell in cells.items():
        value = _value(name, cell)
        if value is None or value == "":
            continue
        *path, last = name.split(".")
        place: Any = post
        for step in path:
            place = place.setdefault(step, {}) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last in place:
            problems.append(FieldProblem(name, "another column gives a value for the same field"))
        else:
            place[last] = value
    return post, problems


def _value(name: str, cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    if name in _OBJECTS:
        return _json(cell, "{")
    if name == "tags":
        found = _json(cell, "[")
        return found if isinstance(found, list) else [tag for part in cell.split(",") if (tag := part.strip())]
    if name == "media":
        found = _json(cell, "[{")
        if isinstance(found, dict):
            return [found]
        return found if isinstance(found, list) else [_medium(word) for word in cell.split()]
    return cell


def _json(cell: str, opening: str) -> Any:
    """The JSON value of a cell that begins like one; else, or if it is broken, the cell itself."""
    if cell.lstrip()[:1] not in tuple(opening):
        return cell
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell


def _medium(word: str) -> dict[str, str]:
    return {"url": word} if _URL.match(word) else {"file": word}
