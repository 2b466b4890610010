"""What the database says when it cannot do its work now, as what is told to people: down, or busy."""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from postscope.backend.errors import NotReady

UNABLE: Final = (OperationalError, InterfaceError, NoConnectionLeft)
"""Nothing of what was asked is wrong, and the same may work another time."""

_GONE: Final = ("08", "53", "57P", "58")
"""Beginnings of SQLSTATE: no connection, no disk or memory or connections left, being stopped, errors of the system."""


def unable(error: Exception) -> NotReady:
    """One of ``UNABLE`` as an answer: code ``database_down``, or ``database_busy`` where it took too long.

    Its detail says nothing of the inside.
    """
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else "busy"
    if state is None or state.startswith(_GONE):
        return NotReady("the database does not answer", code="database_down", headers={"Retry-After": "5"})
    return NotReady("the database took too long, try again", code="database_busy", headers={"Retry-After": "5"})


def why(error: Exception) -> str:
    """The reason in one line, for the log: what the server said, without the statement."""
    said = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return str(said).strip().partition("\n")[0]
