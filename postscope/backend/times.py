"""Times as they come in from outside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator


def in_utc(value: datetime) -> datetime:
    """The same moment in UTC, which is how the database hands every time back.

    Raises:
        ValueError: it has no time zone, or lies in no year that a ``datetime`` has once it is in UTC: the database
            would take it, and nobody could read it again.
    """
    if value.tzinfo is None:
        raise ValueError("must carry a time zone, such as 2026-03-02T09:30:00Z")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie in the years 1 to 9999, in UTC too") from None


UtcTime = Annotated[datetime, AfterValidator(in_utc)]
"""A moment, in UTC."""
