"""Many values as one parameter of a statement, so that its text is always the same and is prepared once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute


def among(column: InstrumentedAttribute[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """``column = ANY(values)``: what ``column.in_(values)`` says with a parameter for each of them."""
    return column == any_(literal(list(values), ARRAY(column.type)))
