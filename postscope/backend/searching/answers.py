"""What search answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from postscope.backend.searching.requests import Facet

AnswerPart = Literal["text", "media", "keywords", "speech", "picture_words"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class MediaAnswer(_Model):
    """One medium of a hit."""

    id: UUID
    url: str | None = Field(examples=["https://example.org/harbour.jpg"])
    kind: str | None = Field(description="image, video or audio; null until it is here", examples=["image"])
    mime: str | None = Field(examples=["image/jpeg"])
    width: int | None = Field(examples=[1024])
    height: int | None = Field(examples=[768])
    state: str = Field(examples=["indexed"])


class PostAnswer(_Model):
    """The post of a hit."""

    source: str = Field(examples=["chirper"])
    external_id: str = Field(examples=["842"])
    created_at: datetime
    text: str = Field(examples=["The tide is out and the harbour is full of gulls #harbour"])
    language: str | None = Field(examples=["en"])
    detected_language: str | None = Field(description="of the text, where it can be told", examples=["en"])
    tags: list[str] = Field(examples=[["harbour"]])
    metrics: dict[str, float] = Field(examples=[{"likes": 12, "views": 340}])
    metadata: dict[str, Any] = Field(examples=[{"region": "north"}])
    media: list[MediaAnswer]


class MatchAnswer(_Model):
    """Why a post is a hit: one part of it that matched."""

    part: AnswerPart = Field(
        description="text and media by meaning, keywords its text has, speech and picture_words both ways",
        examples=["text"],
    )
    query: int = Field(description="which of the things searched with, counted from 0", examples=[0])
    score: float = Field(examples=[0.91])
    media_index: int | None = Field(None, description="which of the post's media, counted from 0")
    media_id: UUID | None = None
    seconds: float | None = Field(None, description="where in a video or sound, from its beginning", examples=[12.5])
    frame: str | None = Field(
        None,
        description="where the picture of that second of a video is answered",
        examples=["/v1/posts/019ce7ac-8e40-7c5e-9b1a-2f6d0c3a4b5e/media/0/frame?t=12.5"],
    )
    quote: str | None = Field(None, description="what is said or written there", examples=["mind the gap"])
    box: list[tuple[float, float]] | None = Field(
        None,
        description="four corners of the written line, as fractions of the picture's width and height",
        examples=[[[0.1, 0.8], [0.9, 0.8], [0.9, 0.9], [0.1, 0.9]]],
    )
    terms: list[str] = Field([], description="words, hashtags, handles and codes that were found")
    why: str = Field(examples=["its text is close in meaning to the query"])


class DuplicatesAnswer(_Model):
    """The group of copies that a hit stands for."""

    group_id: UUID
    size: int = Field(description="posts in the group, this one among them", examples=[5])


class HitModeration(_Model):
    """What the banks of known content say of a hit's post; ``verdict`` is null where it was not checked yet."""

    verdict: Literal["match", "no_match", "could_not_check"] | None
    banks: list[str] = Field(description="with a copy of it, that the caller may see", examples=[["known spam"]])
    held: bool = Field(description="it waits for a moderator")
    tags: list[str] = Field(description="put on it by rules", examples=[["known-harm"]])


class HitAnswer(_Model):
    """One hit, with the best of its matches first."""

    id: UUID
    score: float = Field(description="0 to 1; 0.5 is as likely an answer as not", examples=[0.91])
    group: str | None = Field(None, description="the source, or the author's hash, where hits are grouped")
    duplicates: DuplicatesAnswer | None = Field(None, description="where duplicates are collapsed and it has copies")
    post: PostAnswer
    matched: list[MatchAnswer]
    moderation: HitModeration | None = Field(None, description="if it was asked for")


class FacetCount(_Model):
    """A value and how many posts have it."""

    value: str = Field(examples=["news/sport"])
    name: str | None = Field(None, description="of a topic, whose value is its id")
    count: int = Field(examples=[42])


class SearchAnswer(_Model):
    """Hits, best first."""

    hits: list[HitAnswer]
    total: int = Field(description="how many hits there are on all pages", examples=[1])
    total_is: Literal["exact", "at_least"]
    min_score: float = Field(description="what hits had to score", examples=[0.5])
    facets: dict[Facet, list[FacetCount]] = Field(
        {}, description="of each field that was asked for, its most frequent values among the posts of the filters"
    )
    next_cursor: str | None = Field(None, description="give it as cursor for the next page; null on the last")
    no_answer: bool = Field(description="nothing here answers the query")
    explanation: str | None = Field(
        None, description="why there are no hits", examples=[None, "nothing scored 0.50 or more; the best was 0.31"]
    )
