"""What may be asked of search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, model_validator

from postscope.backend.searching.filters import Filters

MAX_QUERY_TEXT = 10_000
MAX_PARTS = 10

Mode = Literal["keyword", "semantic", "hybrid"]
Facet = Literal["labels", "topics", "tags", "source", "language", "media", "author"]
GroupBy = Literal["author", "source"]
Collapse = Literal["duplicates"]

QueryText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_QUERY_TEXT, strip_whitespace=True)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QueryImage(_Model):
    """An image to search with: a URL to fetch, or a file that was uploaded before."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=4_000, pattern=r"^(?i:https?)://")] | None = None
    upload_id: UUID | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.url is None) == (self.upload_id is None):
            raise ValueError("give either url or upload_id")
        return self


class QueryPart(_Model):
    """One thing to search with: a text, an image or a post that is here already."""

    text: QueryText | None = None
    image: QueryImage | None = None
    post_id: UUID | None = None
    weight: Annotated[FiniteFloat, Field(gt=0, le=100)] = Field(1.0, description="how much it counts in the order")

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if sum(value is not None for value in (self.text, self.image, self.post_id)) != 1:
            raise ValueError("give exactly one of text, image and post_id")
        return self


Parts = Annotated[list[QueryPart], Field(max_length=MAX_PARTS)]


class SearchRequest(_Model):
    """A search. Several things may be asked at once; each ranks the posts, and the rankings are fused."""

    text: QueryText | None = Field(None, examples=["gulls at the harbour"])
    image: QueryImage | None = None
    post_id: UUID | None = Field(None, description="posts like this one")
    queries: Parts = Field([], description="several at once, with weights")
    negative: Parts = Field([], description="posts like these are moved down, or out")
    filters: Filters = Filters()
    mode: Mode = "hybrid"
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    min_score: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = Field(
        None, description="hits score this or more; by default what the server is set to"
    )
    group_by: GroupBy | None = Field(None, description="at most group_size hits of one author or source")
    collapse: Collapse | None = Field(None, description="of posts that are copies of each other only the best hit")
    group_size: Annotated[int, Field(ge=1, le=100)] = 1
    facets: Annotated[list[Facet], Field(max_length=7)] = Field(
        [], description="count the posts that the filters let through, whatever they are about, by these fields"
    )
    moderation: bool = Field(False, description="say of each hit what the banks of known content say")
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="next_cursor of the page before; the query need not be said again, but may"
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "gulls at the harbour", "limit": 5},
                {
                    "queries": [{"text": "storm damage", "weight": 2}, {"text": "flooded street"}],
                    "negative": [{"text": "weather forecast"}],
                    "filters": {"language": ["en"], "media": "image", "created": {"from": "2026-03-01T00:00:00Z"}},
                },
            ]
        }
    )

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        asked = list(self.positives())
        if not asked and self.cursor is None:
            raise ValueError("give something to search with: text, image, post_id, queries or cursor")
        if len(asked) > MAX_PARTS:
            raise ValueError(f"at most {MAX_PARTS} things to search with")
        if self.mode == "keyword" and any(part.text is None for _, part in [*asked, *self.negatives()]):
            raise ValueError("mode keyword compares words: give texts only, or another mode")
        return self

    def positives(self) -> Iterator[tuple[str, QueryPart]]:
        """Everything to search with and the field that says it."""
        for field in ("text", "image", "post_id"):
            if (value := getattr(self, field)) is not None:
                yield field, QueryPart.model_validate({field: value})
        for index, part in enumerate(self.queries):
            yield f"queries.{index}", part

    def negatives(self) -> Iterator[tuple[str, QueryPart]]:
        """Everything that hits should not be like."""
        for index, part in enumerate(self.negative):
            yield f"negative.{index}", part

    def same_search(self, other: SearchRequest) -> bool:
        """Whether both ask for the same ranking; pages of it may differ in size."""
        return self._question() == other._question()

    def _question(self) -> str:
        return self.model_dump_json(exclude={"cursor", "limit", "facets", "moderation"})
