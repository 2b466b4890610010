"""Which posts may be hits: what a request says, in the store's terms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from postscope.backend.post_schema import Language, MetricName, Name, author_hash
from postscope.backend.tagging.names import LabelRef
from postscope.indexing.keywords import tag_key
from postscope.indexing.stores.layout import field_path
from postscope.indexing.tokens import folded
from postscope.indexing.types import AnyOf, Condition, Filter, InRange

MEDIA_KINDS = ("image", "video", "audio")
"""What a post's ``media`` can hold in the store; a post with none of them has no media there."""


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("must carry a time zone, such as 2026-03-02T09:30:00Z")
    return value


def _filterable(key: str) -> str:
    field_path("metadata", key)  # raises ValueError with the reason
    return key


MediaFilter = Literal["image", "video", "audio", "none"]
Time = Annotated[datetime, AfterValidator(_aware)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
_CLOSE_TO_ANOTHER = 2**53
"""From here on whole numbers, as ids are, are no longer told apart as floats."""
# No post has a whole number beyond these; a larger one can only be that of a range, or of a fraction.
Whole = Annotated[int, Field(ge=-(2**63), lt=2**64)]
Scalar: TypeAlias = bool | Whole | FiniteFloat | Word
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_filterable)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TimeRange(_Model):
    """``from <= created_at < to``, to the second."""

    since: Time | None = Field(None, alias="from", examples=["2026-03-01T00:00:00Z"])
    to: Time | None = Field(None, examples=["2026-03-08T00:00:00Z"])

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.since is None and self.to is None:
            raise ValueError("give from, to or both")
        if self.since is not None and self.to is not None and self.since >= self.to:
            raise ValueError("from must be before to")
        return self

    def condition(self) -> InRange:
        """On the store's whole Unix seconds."""
        return InRange(
            "created",
            gte=None if self.since is None else float(math.floor(self.since.timestamp())),
            lt=None if self.to is None else float(math.ceil(self.to.timestamp())),
        )


class NumberRange(_Model):
    """``gte <= value <= lte``."""

    gte: FiniteFloat | None = None
    lte: FiniteFloat | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.gte is None and self.lte is None:
            raise ValueError("give gte, lte or both")
        if self.gte is not None and self.lte is not None and self.gte > self.lte:
            raise ValueError("gte must not be above lte")
        return self


def _wanted(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """One reason for a value that is nothing of what it may be, not one for each."""
    if isinstance(value, dict):
        return NumberRange.model_validate(value)
    try:
        return read(value)
    except ValidationError:
        reason = "must be a text of 1 to 1,000 characters, a number, true or false, a list of up to 100 of these"
        raise ValueError(f"{reason}, or a range with gte, lte or both") from None


def _kinds(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        raise ValueError("must be one or several of image, video, audio and none") from None


class TagFilter(_Model):
    """Tags and hashtags, whatever their case; with or without the ``#``."""

    any: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = Field(None, examples=[["harbour"]])
    all: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _given(self) -> Self:
        if self.any is None and self.all is None:
            raise ValueError("give any, all or both")
        return self

    def conditions(self) -> list[Condition]:
        """One that any of ``any`` meets, and one for each of ``all``."""
        found: list[Condition] = [AnyOf("tags", _tag_forms(self.any))] if self.any else []
        return found + [AnyOf("tags", _tag_forms([tag])) for tag in self.all or ()]


class LabelFilter(_Model):
    """Labels of taxonomies: ``taxonomy/label``, of the live version, or ``taxonomy@2/label`` of another one."""

    any: Annotated[list[LabelRef], Field(min_length=1, max_length=100)] | None = Field(None, examples=[["news/sport"]])
    all: Annotated[list[LabelRef], Field(min_length=1, max_length=100)] | None = None
    none: Annotated[list[LabelRef], Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _given(self) -> Self:
        if not (self.any or self.all or self.none):
            raise ValueError("give any, all, none or several of them")
        return self

    def named(self) -> Iterator[tuple[str, str]]:
        """Every label and the field that names it."""
        for field in ("any", "all", "none"):
            for n, name in enumerate(getattr(self, field) or ()):
                yield f"filters.labels.{field}.{n}", name

    def conditions(self, stored: Mapping[str, str]) -> tuple[list[Condition], list[Condition]]:
        """What must and what must not hold; ``stored`` is how the store knows each label."""
        must: list[Condition] = [AnyOf("labels", tuple(stored[name] for name in self.any))] if self.any else []
        must += [AnyOf("labels", (stored[name],)) for name in self.all or ()]
        return must, [AnyOf("labels", tuple(stored[name] for name in self.none))] if self.none else []


class TopicFilter(_Model):
    """Topics, sub-topics or themes, by id. One that was merged is what it was merged into."""

    any: Annotated[list[UUID], Field(min_length=1, max_length=100)] | None = None
    none: Annotated[list[UUID], Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _given(self) -> Self:
        if not (self.any or self.none):
            raise ValueError("give any, none or both")
        return self

    def named(self) -> Iterator[tuple[str, UUID]]:
        """Every topic and the field that names it."""
        for field in ("any", "none"):
            for n, topic in enumerate(getattr(self, field) or ()):
                yield f"filters.topics.{field}.{n}", topic

    def conditions(self, stored: Mapping[UUID, Condition]) -> tuple[list[Condition], list[Condition]]:
        """What must and what must not hold; ``stored`` is how the store knows the posts of each topic."""
        must: list[Condition] = [Filter(should=tuple(stored[topic] for topic in self.any))] if self.any else []
        return must, [stored[topic] for topic in self.none or ()]


class Filters(_Model):
    """All that are given must hold. A post without a field that is asked for is no hit."""

    source: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = Field(None, examples=[["chirper"]])
    author: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        None, description="the name as it was given with the posts; only its keyed hash is compared"
    )
    language: Annotated[list[Language], Field(min_length=1, max_length=100)] | None = Field(
        None, description="as given with the post; where none was given, as its text tells", examples=[["en"]]
    )
    created: TimeRange | None = None
    media: (
        Annotated[MediaFilter | Annotated[list[MediaFilter], Field(min_length=1, max_length=4)], WrapValidator(_kinds)]
        | None
    ) = Field(
        None,
        description="with a medium of this kind, or with no media; of several, any will do",
        examples=["image"],
    )
    tags: TagFilter | None = None
    labels: LabelFilter | None = None
    topics: TopicFilter | None = None
    metrics: Annotated[dict[MetricName, NumberRange], Field(max_length=30)] = Field(
        {}, examples=[{"likes": {"gte": 100}}]
    )
    metadata: Annotated[
        dict[
            MetadataKey,
            Annotated[
                NumberRange | Scalar | Annotated[list[Scalar], Field(min_length=1, max_length=100)],
                WrapValidator(_wanted),
            ],
        ],
        Field(max_length=30),
    ] = Field({}, description="key: value, any of several values, or a range", examples=[{"region": "north"}])

    def condition(
        self,
        author_key: bytes,
        labels: Mapping[str, str] | None = None,
        topics: Mapping[UUID, Condition] | None = None,
    ) -> Filter | None:
        """For the store; None where everything may be a hit. ``labels``, ``topics``: how the store knows those that
        are named."""
        must: list[Condition] = []
        must_not: list[Condition] = []
        if self.labels:
            must, must_not = self.labels.conditions(labels or {})
        if self.topics:
            in_topics, in_none = self.topics.conditions(topics or {})
            must, must_not = must + in_topics, must_not + in_none
        if self.source:
            must.append(AnyOf("source", tuple(self.source)))
        if self.author:
            must.append(AnyOf("author", (author_hash(author_key, self.author),)))
        if self.language:
            must.append(AnyOf("language", tuple(self.language)))
        if self.created:
            must.append(self.created.condition())
        if self.media:
            must.append(_media([self.media] if isinstance(self.media, str) else self.media))
        if self.tags:
            must += self.tags.conditions()
        must += [InRange(field_path("metrics", name), gte=r.gte, lte=r.lte) for name, r in self.metrics.items()]
        must += [_metadata(field_path("metadata", key), wanted) for key, wanted in self.metadata.items()]
        return Filter(must=tuple(must), must_not=tuple(must_not)) if must or must_not else None


def _tag_forms(tags: list[str]) -> tuple[str, ...]:
    # Tags that were given are kept but for their case and the #, hashtags of a text folded further; earlier releases
    # kept the # of those that were given.
    forms: list[str] = []
    for tag in tags:
        bare = tag_key(tag)
        forms += (bare, folded(bare), f"#{bare}")
    return tuple(dict.fromkeys(forms))


def _media(wanted: list[MediaFilter]) -> Condition:
    nothing = Filter(must_not=(AnyOf("media", MEDIA_KINDS),))
    kinds = tuple(kind for kind in wanted if kind != "none")
    either: list[Condition] = [AnyOf("media", kinds)] if kinds else []
    if "none" in wanted:
        either.append(nothing)
    return either[0] if len(either) == 1 else Filter(should=tuple(either))


def _metadata(field: str, wanted: NumberRange | Scalar | list[Scalar]) -> Condition:
    if isinstance(wanted, NumberRange):
        return InRange(field, gte=wanted.gte, lte=wanted.lte)
    values = wanted if isinstance(wanted, list) else [wanted]
    exact: list[str | int | bool] = []
    conditions: list[Condition] = []
    for value in values:
        if isinstance(value, bool | str) or (isinstance(value, int) and _CLOSE_TO_ANOTHER <= abs(value) < 2**63):
            exact.append(value)
        else:  # 3 and 3.0 are one number in JSON but two to the engines' exact match: by range
            conditions.append(InRange(field, gte=float(value), lte=float(value)))
    if exact:
        conditions.insert(0, AnyOf(field, tuple(exact)))
    return conditions[0] if len(conditions) == 1 else Filter(should=tuple(conditions))
