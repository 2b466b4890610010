"""Errors as ``application/problem+json`` (RFC 9457). What was not foreseen says nothing of the inside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from psycopg.errors import NumericValueOutOfRange
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from postscope.backend.database_errors import UNABLE, unable, why
from postscope.backend.errors import FieldProblem, Invalid, NotReady, PostscopeError
from postscope.backend.logs import current_request_id
from postscope.backend.wrong_values import unreadable, unstorable
from postscope.indexing.media.sandbox.pool import SandboxDown

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"

_CODES: Final = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media",
}
_PLACES: Final = frozenset({"body", "query", "path", "header", "cookie"})

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "title": "ProblemDetails",
    "description": "What went wrong (RFC 9457). `errors` names each field that is wrong.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:postscope:problem:invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable, for programs"},
        "detail": {"type": "string", "description": "for people"},
        "request_id": {"type": "string", "description": "find it in the logs"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}


class Problem(Response):
    """One problem as an answer."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        problems: Iterable[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        body: dict[str, Any] = {
            "type": f"urn:postscope:problem:{code}",
            "title": title,
            "status": status,
            "code": code,
            "detail": detail,
        }
        if request_id := current_request_id():
            body["request_id"] = request_id
        if errors := [{"field": problem.field, "reason": problem.reason} for problem in problems]:
            body["errors"] = errors
        # ASCII alone: a field's name may hold half a surrogate pair, which UTF-8 cannot
        super().__init__(json.dumps(body), status_code=status, headers=dict(headers or {}))

    @classmethod
    def of(cls, error: PostscopeError) -> Problem:
        """The problem that an error of the tree stands for; of a 500 the detail stays inside."""
        detail = error.detail if error.status < 500 or error.status == 503 else "this was not foreseen"
        return cls(error.status, error.code, error.title, detail, problems=error.problems, headers=error.headers)

    @classmethod
    def unforeseen(cls) -> Problem:
        """An exception that nobody caught."""
        return cls.of(PostscopeError(""))


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error that reaches the app as a problem."""
    app.add_exception_handler(PostscopeError, _on_postscope_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(DataError, _on_data_error)
    app.add_exception_handler(SandboxDown, _on_sandbox_down)
    for kind in UNABLE:
        app.add_exception_handler(kind, _on_unable_database)


def _on_postscope_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, PostscopeError) or (error.status >= 500 and error.status != 503):
        raise error  # not foreseen: logged with its trace where everything unforeseen is
    return Problem.of(error)


def _on_unable_database(_request: Request, error: Exception) -> Response:
    return unable_database(error)


def unable_database(error: Exception) -> Problem:
    """The answer while the database cannot do its work; the log has the reason."""
    answer = unable(error)
    log.warning("database_unable", code=answer.code, reason=why(error))
    return Problem.of(answer)


def _on_sandbox_down(_request: Request, error: Exception) -> Response:
    return Problem.of(NotReady(f"media cannot be opened now: {error}", code="decoder_down"))


def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if any(tuple(item["loc"]) == ("body",) for item in error.errors()) and (sent := _no_json(request)):
        # The body was read as bytes, which are no object whatever is in them: to say that would help nobody.
        return Problem(415, _CODES[415], HTTPStatus(415).phrase, f"send the body as application/json, not as {sent}")
    problems = [_field_problem(item) for item in error.errors()]
    return Problem.of(Invalid(_summary(problems), problems=problems))


def _no_json(request: Request) -> str | None:
    """What a body is said to be that is not read as JSON; None where it is, and where nothing was sent."""
    if request.headers.get("content-length") == "0":
        return None
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind, _, form = said.partition("/")
    if kind == "application" and (form == "json" or form.endswith("+json")):
        return None
    return repr(said[:100]) if said else "something without a Content-Type"


def _field_problem(item: Mapping[str, Any]) -> FieldProblem:
    place, *path = item["loc"] or ("body",)
    if item["type"] == "json_invalid":
        return FieldProblem("body", f"is not JSON: {item.get('ctx', {}).get('error', 'cannot be read')}")
    inside = path if place in _PLACES else [place, *path]
    field = ".".join(str(part) for part in inside) or str(place)
    return FieldProblem(field, str(item["msg"]).removeprefix("Value error, "))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    if status == 400 and isinstance(cause := error.__cause__, ValueError | RecursionError):
        # FastAPI's word for a body that breaks the reader of JSON, which is kept: this does not read it again.
        problem = unreadable(await request.body(), cause)
        return Problem.of(Invalid.of(problem.field, problem.reason))
    code = _CODES.get(status, "http_error")
    return Problem(status, code, status.phrase, error.detail or status.phrase, headers=error.headers)


async def _on_data_error(request: Request, error: Exception) -> Response:
    """A value that passed every check of ours and that the database refuses: the caller's, and worth a check."""
    assert isinstance(error, DataError)
    error.hide_parameters = True  # what the log shows of it: the statement is enough to find the field
    log.warning("value_refused_by_database", method=request.method, path=request.url.path, exc_info=error)
    problems = await unstorable(request, number=isinstance(error.orig, NumericValueOutOfRange))
    return Problem.of(
        Invalid(
            _summary(problems) or "a value cannot be kept: a text with NUL characters, or a number out of range",
            problems=problems,
        )
    )


def _summary(problems: Sequence[FieldProblem]) -> str:
    """The first few, for people."""
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    return "; ".join(f"{problem.field}: {problem.reason}" for problem in problems[:5]) + more


def problem_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the API's documentation says of these statuses."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}
