"""What may be asked of a discovery."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from postscope.backend import runs
from postscope.backend.auth import Caller, Role
from postscope.backend.post_schema import Language, Name
from postscope.backend.runtime import Runtime
from postscope.backend.searching.filters import Filters, TagFilter, TimeRange
from postscope.backend.tables import Run
from postscope.indexing.types import Filter

KIND = "topics.discover"
SMALLEST, LARGEST = 5, 200
"""Bounds of the least size of a topic where none is given."""
SHARE = 0.01
"""Of all posts, what makes a topic, within those bounds."""


class DiscoverRequest(BaseModel):
    """A discovery: which posts it looks at, and how finely."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"created": {"from": "2026-03-01T00:00:00Z", "to": "2026-03-08T00:00:00Z"}, "language": ["en"]},
            ]
        },
    )

    created: TimeRange | None = Field(None, description="the window; by default all posts")
    source: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = None
    language: Annotated[list[Language], Field(min_length=1, max_length=100)] | None = None
    tags: TagFilter | None = None
    min_size: Annotated[int, Field(ge=3, le=10_000)] | None = Field(
        None, description="distinct posts that make a topic; by default 1% of the posts, from 5 to 200"
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(42, description="of everything random; the same gives the same")

    @property
    def filtered(self) -> bool:
        """Whether it leaves posts of its window out."""
        return any(value is not None for value in (self.source, self.language, self.tags))

    def condition(self) -> Filter | None:
        """For the store; None where all posts are looked at."""
        return Filters(source=self.source, language=self.language, tags=self.tags, created=self.created).condition(b"")

    def size_for(self, count: int) -> int:
        """Distinct posts that make a topic among ``count`` posts."""
        return self.min_size or min(LARGEST, max(SMALLEST, round(count * SHARE)))


def start(runtime: Runtime, session: Session, request: DiscoverRequest, caller: Caller) -> Run:
    """Ask for a discovery; one at a time.

    Raises:
        Conflict: ``run_exists``: there is one already.
    """
    return runs.start(
        session,
        KIND,
        request.model_dump(mode="json", by_alias=True, exclude_none=True),
        actor=caller.name,
        readers=[Role.ANALYST],
        now=runtime.clock(),
        exclusive=KIND,
    )
