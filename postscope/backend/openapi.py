"""The document of the API: what FastAPI derives from the routes, and the problems that every call may answer with."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from postscope.backend.openapi_examples import Examples
from postscope.backend.problems import PROBLEM_SCHEMA, problem_answers
from postscope.backend.routes.posts import post_schema

_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_NOT_OURS: Final = ("HTTPValidationError", "ValidationError")
"""What FastAPI says of a 422 by itself; ours are problems."""


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the app's routes."""
    document = get_openapi(
        title=app.title,
        summary=app.summary,
        description=app.description,
        version=app.version,
        tags=app.openapi_tags,
        license_info=app.license_info,
        contact=app.contact,
        routes=app.routes,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _NOT_OURS:
        schemas.pop(name, None)
    schemas["ProblemDetails"] = PROBLEM_SCHEMA
    post = post_schema()
    schemas.update(post.pop("$defs", {}))
    schemas["PostIn"] = post
    examples = Examples(schemas)
    for path in document["paths"].values():
        for method, operation in path.items():
            if method in _METHODS:
                _add_problems(operation)
                examples.add_to(operation)
    return document


def _add_problems(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    expected = [422] if "422" in answers else []
    expected += [413] if "requestBody" in operation else []
    expected += [401, 403, 429] if "security" in operation else []
    for status, answer in problem_answers(*expected).items():
        answers[str(status)] = answer
    answers["default"] = {**problem_answers(500)[500], "description": "Any other problem"}
