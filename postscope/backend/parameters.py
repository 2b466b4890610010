"""What is asked of the parameters of a call, whatever the endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Request
from pydantic import Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.wrong_values import LARGEST, NUL

Counted = Annotated[int, Field(ge=1, le=LARGEST)]
"""A number of a version, or a count, as the database keeps it."""


async def refuse_nul(request: Request) -> None:
    """A dependency of every endpoint. PostgreSQL keeps no NUL in a text, so nothing can be named by one.

    Raises:
        Invalid: a parameter of the query or the path holds NUL.
    """
    given = [*request.query_params.multi_items(), *((name, str(value)) for name, value in request.path_params.items())]
    wrong = dict.fromkeys(name for name, value in given if "\0" in value)
    if wrong:
        problems = [FieldProblem(name, NUL) for name in wrong]
        raise Invalid("; ".join(f"{problem.field}: {problem.reason}" for problem in problems), problems=problems)


def wrong_fields(model: str, fields: Sequence[str], reason: str) -> ValidationError:
    """For a check of a model that looks at several fields at once: names them, where a ValueError names the model.

    Args:
        model: its name.
        fields: of it, that are wrong together.
        reason: what is wrong.
    """
    kind = PydanticCustomError("fields", "{reason}", {"reason": reason})
    return ValidationError.from_exception_data(
        model, [InitErrorDetails(type=kind, loc=(field,), input=None) for field in fields]
    )
