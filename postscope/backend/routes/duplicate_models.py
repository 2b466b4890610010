"""What is asked and told of near-duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from postscope.backend.duplicates.look_alikes import LookAlike
from postscope.backend.duplicates.reading import Relation, Verdict
from postscope.backend.post_schema import MAX_TEXT
from postscope.backend.searching.requests import QueryImage


class EvidenceOut(BaseModel):
    """One part that matches. ``changes`` says what was likely done to the other post's part to get this post's."""

    part: Literal["text", "image", "video", "audio"]
    score: float = Field(examples=[0.97])
    this_media: int | None = Field(description="place among this post's media; null for the text")
    other_media: int | None
    changes: list[str] = Field(examples=[["mirrored", "cropped to 69%"]])
    detail: dict[str, Any] = Field(
        description="measurements: bits between PDQs, features that fit, seconds that overlap",
        examples=[{"pdq_distance": 118, "features": 193, "agreement": 0.987}],
    )

    @classmethod
    def all_of(cls, evidence: Sequence[dict[str, Any]]) -> list[Self]:
        """As it is kept."""
        return [cls.model_validate(item) for item in evidence]


class CopyOut(BaseModel):
    """A post with the same content. ``relation``: the group's anchor (the earliest), a fellow member (which matches
    the anchor, as its evidence says), or a pair outside of groups."""

    kind: Literal["copy"] = "copy"
    post_id: UUID
    relation: Relation
    group_id: UUID | None
    score: float = Field(description="0.5 to 1; 1 is the very same", examples=[0.97])
    evidence: list[EvidenceOut]


class LookAlikeOut(BaseModel):
    """A post with other content that means or shows the same."""

    kind: Literal["look_alike"] = "look_alike"
    post_id: UUID
    score: float = Field(description="relevance, as in a search", examples=[0.86])
    why: list[str] = Field(examples=[["its text is close in meaning to the given post"]])

    @classmethod
    def all_of(cls, found: Sequence[LookAlike]) -> list[Self]:
        """In the order they were found."""
        return [cls(post_id=like.post_id, score=like.score, why=list(like.why)) for like in found]


class UncheckedOut(BaseModel):
    """A medium that nothing can be said of: it may be a copy or not."""

    media: int | None = Field(description="place among the media that were given")
    media_id: UUID | None = None
    code: str = Field(examples=["truncated"])
    reason: str = Field(examples=["the image/jpeg file ends too early, after 8,123 bytes"])


class DuplicatesOut(BaseModel):
    """Copies and look-alikes, never mixed. ``no_copy`` is said only where every part could be checked."""

    verdict: Verdict
    group_id: UUID | None
    copies: list[CopyOut]
    look_alikes: list[LookAlikeOut]
    could_not_check: list[UncheckedOut]


class CheckIn(BaseModel):
    """Content that is not stored: a text, images, videos, sounds."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"text": "The tide is out and the harbour is full of gulls", "images": [
                {"url": "https://example.org/gulls.jpg"}]}]
        },
    )  # fmt: skip

    text: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    images: Annotated[list[QueryImage], Field(max_length=10)] = []
    media: Annotated[list[QueryImage], Field(max_length=4)] = Field(
        [], description="of any kind, videos and sounds too; numbered in the answer after the images"
    )
    look_alikes: Annotated[int, Field(ge=0, le=50)] = 10

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.text or "").strip() and not self.images and not self.media:
            raise ValueError("give a text, images or media")
        return self


class GroupOut(BaseModel):
    """Posts that are copies of one post, the anchor. ``recent`` counts those of the growth window."""

    id: UUID
    anchor_id: UUID
    size: int = Field(examples=[17])
    authors: int = Field(examples=[12])
    sources: int = Field(examples=[2])
    first_at: datetime
    last_at: datetime
    recent: int = Field(examples=[5])


class GroupList(BaseModel):
    """In the order asked for; ``next_offset`` is null on the last page."""

    groups: list[GroupOut]
    next_offset: int | None


class BucketOut(BaseModel):
    """Posts from ``start`` on, for the width of a bucket."""

    start: datetime
    posts: int = Field(examples=[4])


class SpreadOut(BaseModel):
    """How a group spread: its posts over time, and how fast. Buckets without posts are left out."""

    bucket_seconds: int = Field(examples=[3600])
    buckets: list[BucketOut]
    per_hour: float | None = Field(description="null where all came at once")
    peak_per_hour: float | None
    half_after_seconds: float


class MemberOut(BaseModel):
    """One member and how it matches the anchor; the anchor itself has no evidence."""

    post_id: UUID
    at: datetime
    source: str = Field(examples=["chirper"])
    author_hash: str | None
    score: float
    evidence: list[EvidenceOut]


class GroupDetail(GroupOut):
    """A group with its spread and a page of its members, the earliest first."""

    spread: SpreadOut
    members: list[MemberOut]
    next_offset: int | None


class SweepIn(BaseModel):
    """A dry run changes nothing, and tells how many posts are copies of others."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False
