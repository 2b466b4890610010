"""Where in a request the values are that the database cannot keep, or that no reader of JSON takes.

Most fields have types that see to it. This is for what got past them, so that the answer still names the field: it is
asked only after something was refused, and costs a right request nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from fastapi import Request

from postscope.backend.errors import FieldProblem

NUL: Final = "must not contain NUL characters"
LARGEST: Final = (1 << 31) - 1
"""Of the whole numbers that most columns keep (PostgreSQL's integer)."""
LARGEST_LONG: Final = (1 << 63) - 1
"""Of those that the longest columns keep (bigint)."""

_NO_UTF8: Final = re.compile("[\udc80-\udcff]")
"""How Python writes a byte that is no part of a character (PEP 383)."""

Judge = Callable[[Any], str | None]
"""Why a value is wrong; None where it is not."""


class _TooLong:
    """Stands for a whole number of more digits than Python reads."""


async def unstorable(request: Request, *, number: bool) -> list[FieldProblem]:
    """What of a request the database cannot have kept, each value by its field.

    Args:
        request: its body has been read, if it has one.
        number: whether a number was refused; else it was a text.
    """
    given = await _given(request)
    if not number:
        return list(_wrong(given, _with_nul))
    # A number beyond every column is wrong for certain; one beyond most columns only where there is none of those.
    beyond = (list(_wrong(given, _beyond(largest))) for largest in (LARGEST_LONG, LARGEST))
    return next((found for found in beyond if found), [])


def unreadable(body: bytes, error: BaseException) -> FieldProblem:
    """What is wrong with a body that was not read as JSON, though it may look like it.

    Args:
        body: as it came.
        error: the reader's.
    """
    reason = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else "is not JSON"
    try:
        read = json.loads(body.decode("utf-8", "surrogateescape"), parse_int=_whole)
    except RecursionError:
        return FieldProblem("body", "is nested too deep")
    except ValueError:
        return FieldProblem("body", reason)
    return next(_wrong(read, _no_json), FieldProblem("body", reason))


async def _given(request: Request) -> dict[str, Any]:
    """All that a request says, by name: its parameters, and what its body says."""
    given: dict[str, Any] = {name: _number(value) for name, value in request.query_params.multi_items()}
    given |= {name: _number(value) for name, value in request.path_params.items()}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        return given | dict(await request.form())
    try:
        body = await request.json()
    except (ValueError, RuntimeError):  # none was sent, or it was no JSON and is read already
        return given
    return given | body if isinstance(body, dict) else given


def _number(value: Any) -> Any:
    """Of a parameter, which is a text: the number that it was read as."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return value


def _whole(digits: str) -> object:
    try:
        return int(digits)
    except ValueError:  # sys.get_int_max_str_digits()
        return _TooLong()


def _wrong(read: Any, judge: Judge) -> Iterator[FieldProblem]:
    """The wrong values within this one, in order. Without recursion: JSON may be nested deeper than Python calls."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), read)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            inner = [(str(key), item) for key, item in value.items()]
            if reason := next((reason for key, _ in inner if (reason := judge(key))), None):
                yield FieldProblem(".".join(path) or "body", f"a name in it {reason}")
        elif isinstance(value, list):
            inner = [(str(place), item) for place, item in enumerate(value)]
        else:
            if reason := judge(value):
                yield FieldProblem(".".join(path) or "body", reason)
            continue
        waiting.extend(((*path, name), item) for name, item in reversed(inner))


def _with_nul(value: Any) -> str | None:
    return NUL if isinstance(value, str) and "\0" in value else None


def _beyond(largest: int) -> Judge:
    def judge(value: Any) -> str | None:
        wrong = isinstance(value, int | float) and not -largest - 1 <= value <= largest
        return f"must be between {-largest - 1} and {largest}" if wrong else None

    return judge


def _no_json(value: Any) -> str | None:
    if isinstance(value, _TooLong):
        return "is a number of too many digits"
    return "is not UTF-8" if isinstance(value, str) and _NO_UTF8.search(value) else None
