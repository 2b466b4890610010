"""Cells of an exchanged file: what each may say."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from postscope.backend.banks.schema import SEVERITIES, Severity
from postscope.backend.times import in_utc
from postscope.indexing.known.signals import check_thresholds
from postscope.indexing.normalise import storable

MAX_CELL: Final = 5_000
MAX_TAGS: Final = 50
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")


class BadLine(ValueError):
    """A line that cannot be taken, and why."""


def text_of(cells: dict[str, str], name: str) -> str:
    """The text of a named cell, as PostgreSQL can hold it."""
    value = cells.get(name, "").strip()
    if len(value) > MAX_CELL:
        raise BadLine(f"{name} has more than {MAX_CELL:,} characters")
    return storable(value)


def severity(value: str) -> Severity:
    """A severity; none is medium."""
    value = value.strip().lower() or "medium"
    for known in SEVERITIES:
        if value == known:
            return known
    raise BadLine(f"no severity {value[:60]!r}; known are {', '.join(SEVERITIES)}")


def tags(value: str) -> tuple[str, ...]:
    """Tags, separated by spaces."""
    tags = tuple(dict.fromkeys(storable(tag) for tag in value.split()))
    if len(tags) > MAX_TAGS or any(len(tag) > 100 for tag in tags):
        raise BadLine(f"at most {MAX_TAGS} tags of 100 characters")
    return tags


def thresholds(value: str) -> tuple[tuple[str, float], ...]:
    """Thresholds by kind, from a JSON object."""
    if not value.strip():
        return ()
    try:
        told = {str(kind): float(limit) for kind, limit in json.loads(value).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadLine("thresholds are a JSON object of numbers") from error
    for kind, reason in check_thresholds(told):
        raise BadLine(f"thresholds.{kind[:60]}: {reason}")
    return tuple(sorted(told.items()))


def enabled(value: str) -> bool:
    """Whether it is enabled; so it is where nothing is said."""
    value = value.strip().lower()
    if value not in ("", "true", "false"):
        raise BadLine("enabled is true or false")
    return value != "false"


def expiry(value: str) -> datetime | None:
    """An ISO 8601 time with its zone, or None."""
    if not value.strip():
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise BadLine("expires_at is no ISO 8601 time") from error
    try:
        return in_utc(found)
    except ValueError as error:
        raise BadLine(f"expires_at {error}") from error


def safe(cell: str) -> str:
    """What no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def plain(cell: str) -> str:
    """What ``safe`` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
