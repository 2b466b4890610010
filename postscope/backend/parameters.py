"""What no parameter of a call may hold, whatever the endpoint."""

from __future__ import annotations

from fastapi import Request

from postscope.backend.errors import FieldProblem, Invalid


async def refuse_nul(request: Request) -> None:
    """A dependency of every endpoint. PostgreSQL keeps no NUL in a text, so nothing can be named by one.

    Raises:
        Invalid: a parameter of the query or the path holds NUL.
    """
    given = [*request.query_params.multi_items(), *((name, str(value)) for name, value in request.path_params.items())]
    wrong = dict.fromkeys(name for name, value in given if "\0" in value)
    if wrong:
        problems = [FieldProblem(name, "must not contain NUL characters") for name in wrong]
        raise Invalid("; ".join(f"{problem.field}: {problem.reason}" for problem in problems), problems=problems)
