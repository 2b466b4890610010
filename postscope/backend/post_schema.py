"""What a post looks like when it comes in, and why it may be refused."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Self
from uuid import UUID

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from postscope.backend.errors import FieldProblem
from postscope.backend.times import UtcTime
from postscope.indexing.normalise import storable

MAX_TEXT = 100_000
MAX_METADATA_BYTES = 16_384
MAX_METADATA_DEPTH = 32
"""Lists and objects within one another. The vector engine cannot read back what it took at a hundred and more."""


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    if any(not key or len(key) > 100 for key in value):
        raise ValueError("keys must have 1 to 100 characters")
    try:
        encoded = orjson.dumps(value)
    except (orjson.JSONEncodeError, TypeError) as error:
        raise ValueError(_unstorable(value, 1) or f"must be plain JSON: {error}") from None
    if len(encoded) > MAX_METADATA_BYTES:
        raise ValueError(f"must be at most {MAX_METADATA_BYTES} bytes as JSON")
    # Looked through only where what was written shows that something may be wrong: most metadata are flat.
    nested = encoded.count(b"{") + encoded.count(b"[") > MAX_METADATA_DEPTH
    if (nested or b"\\u0000" in encoded or b"null" in encoded) and (reason := _unstorable(value, 1)):
        raise ValueError(reason)
    return value


def _unstorable(value: Any, depth: int) -> str | None:
    """Why this cannot be kept as it is; None where it can."""
    match value:
        case float():
            # In JSON there is no such number, and what there is in its place is null.
            return None if math.isfinite(value) else "must not contain NaN or Infinity, or a number that is too large"
        case str():
            return "must not contain NUL characters" if "\x00" in value else None
        case dict():
            inner: Iterable[Any] = (*value, *value.values())
        case list():
            inner = value
        case _:
            return None
    if depth > MAX_METADATA_DEPTH:
        return f"must not be nested more than {MAX_METADATA_DEPTH} deep"
    return next((reason for item in inner if (reason := _unstorable(item, depth + 1))), None)


# The limits come first, so that they are checked where the string is, and not by a call of their own.
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), BeforeValidator(_storable)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=500), BeforeValidator(_storable)]
MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Metric = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", to_lower=True)]


_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MediaIn(_Model):
    """One medium: a URL to fetch, or a file that was uploaded before."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=4_000, pattern=r"^(?i:https?)://")] | None = None
    upload_id: UUID | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.url is None) == (self.upload_id is None):
            raise ValueError("give either url or upload_id")
        return self


class PostIn(_Model):
    """One post as it comes in. ``(source, external_id)`` is its identity: the same pair again is an update."""

    source: Name = Field(examples=["chirper"])
    external_id: ExternalId = Field(examples=["842"])
    author: Annotated[str, StringConstraints(max_length=500), BeforeValidator(_storable)] | None = Field(
        None, description="stored only as a keyed hash", examples=["@mara"]
    )
    created_at: UtcTime = Field(examples=["2026-03-02T09:30:00Z"])
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT), BeforeValidator(_storable)] | None = Field(
        None, examples=["The tide is out and the harbour is full of gulls #harbour"]
    )
    language: Language | None = Field(None, description="BCP 47", examples=["en"])
    tags: Annotated[list[Name], Field(max_length=50)] = Field(default_factory=list)
    metrics: Annotated[dict[MetricName, Metric], Field(max_length=30)] = Field(
        {}, examples=[{"likes": 12, "comments": 1, "shares": 0, "views": 340}]
    )
    metadata: Annotated[dict[str, Any], AfterValidator(_metadata)] = Field({}, examples=[{"region": "north"}])
    media: Annotated[list[MediaIn], Field(max_length=100)] = Field(default_factory=list)

    @property
    def record_hash(self) -> bytes:
        """SHA-256 of everything: equal means unchanged. The same bytes as the sorted JSON dump, in half the time."""
        return hashlib.sha256(orjson.dumps(self.__dict__, default=vars, option=_CANONICAL)).digest()

    @property
    def content_hash(self) -> bytes:
        """SHA-256 of what the vectors are made from: equal means that nothing has to be encoded again."""
        content = [self.text or "", [[item.url, str(item.upload_id)] for item in self.media]]
        return hashlib.sha256(orjson.dumps(content)).digest()


class PostReader:
    """Checks posts, a batch in one go. One object serves all threads."""

    def __init__(self) -> None:
        self._batch = TypeAdapter(list[PostIn])

    def read(self, rows: Sequence[Any]) -> tuple[dict[int, PostIn], dict[int, list[FieldProblem]]]:
        """Those that are right and, of the others, each wrong field with the reason; both by place in ``rows``."""
        try:
            return dict(enumerate(self._batch.validate_python(list(rows)))), {}
        except ValidationError as error:
            wrong: dict[int, list[FieldProblem]] = {}
            for item in _errors(error):
                wrong.setdefault(int(item["loc"][0]), []).append(_problem(item["loc"][1:], item["msg"]))
        places = [index for index in range(len(rows)) if index not in wrong]
        right = self._batch.validate_python([rows[index] for index in places])
        return dict(zip(places, right, strict=True)), wrong


def _errors(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_input=False, include_url=False, include_context=False)


def _problem(location: Sequence[int | str], message: str) -> FieldProblem:
    return FieldProblem(".".join(map(str, location)) or "post", message.removeprefix("Value error, "))


def author_hash(key: bytes, author: str) -> str:
    """The only form in which an author is kept: HMAC-SHA-256 (RFC 2104), 32 hex digits of it."""
    return hmac.digest(key, author.strip().casefold().encode("utf-8", "surrogatepass"), "sha256").hex()[:32]
