"""The errors of the service.

PostscopeError                     500 internal
├── BadSettings                    (stops the start)
├── Invalid                        422 invalid            the request is wrong; names the field
├── Unauthenticated                401 unauthenticated
├── Forbidden                      403 forbidden
├── NotFound                       404 not_found
├── Conflict                       409 conflict
├── TooLarge                       413 too_large
├── UnsupportedMedia               415 unsupported_media
├── TooManyRequests                429 too_many_requests  carries Retry-After
└── NotReady                       503 not_ready          a part is down; its own code says which

Each carries its HTTP status and a stable code; the handler in ``app.py`` turns them into RFC 9457 problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field: ``field`` is a path such as ``posts.3.created_at``."""

    field: str
    reason: str


class PostscopeError(Exception):
    """Root of the tree."""

    status: ClassVar[int] = 500
    code: str = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        problems: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = tuple(problems)
        self.headers = dict(headers or {})
        if code is not None:
            self.code = code


class BadSettings(PostscopeError):
    """A setting is wrong; stops the start."""

    code = "bad_settings"
    title = "Bad settings"


class Invalid(PostscopeError):
    """The request is wrong."""

    status = 422
    code = "invalid"
    title = "Invalid request"

    @classmethod
    def of(cls, field: str, reason: str) -> Invalid:
        """One field is wrong."""
        return cls(f"{field}: {reason}", problems=[FieldProblem(field, reason)])


class Unauthenticated(PostscopeError):
    """No key, or one that is not valid."""

    status = 401
    code = "unauthenticated"
    title = "Not authenticated"


class Forbidden(PostscopeError):
    """The key's roles do not allow this."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class NotFound(PostscopeError):
    """There is no such thing."""

    status = 404
    code = "not_found"
    title = "Not found"


class Conflict(PostscopeError):
    """The state of the thing does not allow this now."""

    status = 409
    code = "conflict"
    title = "Conflict"


class TooLarge(PostscopeError):
    """The body is larger than the limit."""

    status = 413
    code = "too_large"
    title = "Too large"


class UnsupportedMedia(PostscopeError):
    """The file is of no type that is understood, or cannot be read."""

    status = 415
    code = "unsupported_media"
    title = "Unsupported media"


class TooManyRequests(PostscopeError):
    """The key's allowance is used up."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests"


class NotReady(PostscopeError):
    """A part that is needed is down or still starting."""

    status = 503
    code = "not_ready"
    title = "Not ready"
