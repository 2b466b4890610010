"""Topics: found, listed, shown with their posts and their lineage."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from postscope.backend.auth import Caller, Role, require
from postscope.backend.routes.runs import RunOut
from postscope.backend.routes.state import runtime_of
from postscope.backend.tables import Post, Topic, TopicLineage, TopicMember
from postscope.backend.topics import reading, requests

router = APIRouter(prefix="/v1/topics", tags=["topics"])

Analyst = Annotated[Caller, Depends(require(Role.ANALYST))]
Reader = Annotated[Caller, Depends(require(Role.ANALYST, Role.MODERATOR, Role.PRODUCT))]


class KeywordOut(BaseModel):
    """A word or pair of words; ``weight`` is relative to the heaviest; ``language`` is null where not known.

    ``seen``: it names what pictures show, where the posts of a topic say nothing.
    """

    word: str = Field(examples=["flight cancelled"])
    weight: float = Field(examples=[1.0])
    language: str | None = Field(examples=["en"])
    seen: bool = Field(False, examples=[False])


class SummaryOut(BaseModel):
    """What stands for a topic: a few words, posts chosen to cover it, and images of theirs."""

    text: str = ""
    post_ids: list[UUID] = []
    media_ids: list[UUID] = []


class TopicOut(BaseModel):
    """One topic. ``named_by`` is null while the name is the machine's."""

    id: UUID
    layer: reading.Layer
    kind: reading.Kind
    state: reading.State
    name: str = Field(examples=["flight cancelled, refund, rebook"])
    named_by: str | None
    keywords: list[KeywordOut]
    summary: SummaryOut
    parent_id: UUID | None
    merged_into: UUID | None
    hidden: bool
    pinned: bool
    seed: dict[str, Any] | None
    size: int = Field(description="posts that belong to it now", examples=[142])
    born_at: datetime | None = Field(description="time of its first post")
    last_seen_at: datetime | None = Field(description="time of its newest post")
    created_at: datetime
    updated_at: datetime
    run_id: UUID | None = Field(description="the last discovery that found it")

    @classmethod
    def of(cls, topic: Topic, size: int) -> Self:
        """As the API shows it."""
        shown = {name: getattr(topic, name) for name in cls.model_fields if name not in ("size", "summary")}
        return cls.model_validate({**shown, "size": size, "summary": topic.summary})


class TopicList(BaseModel):
    """The largest first. ``outlier_share`` is of all posts that were looked at: those that belong to no topic."""

    topics: list[TopicOut]
    total: int
    next_offset: int | None
    posts: int
    outliers: int
    outlier_share: float | None


class TopicPost(BaseModel):
    """A post of a topic, and how firmly it belongs there."""

    id: UUID
    source: str = Field(examples=["chirper"])
    text: str = Field(examples=["Our flight was cancelled and nobody answers the phone"])
    language: str | None
    created_at: datetime
    strength: float = Field(examples=[0.82])
    subtopic_id: UUID | None
    corrected_by: str | None = Field(description="the person who put it there")

    @classmethod
    def of(cls, post: Post, member: TopicMember) -> Self:
        """As the API shows it."""
        return cls(
            id=post.id,
            source=post.source,
            text=post.text,
            language=post.language,
            created_at=post.created_at,
            strength=member.strength,
            subtopic_id=member.subtopic_id,
            corrected_by=member.corrected_by,
        )


class TopicPosts(BaseModel):
    """A page of a topic's posts."""

    posts: list[TopicPost]
    next_offset: int | None


class LineageOut(BaseModel):
    """``birth`` (to), ``continue`` and ``revive`` (from is to), ``merge``, ``split`` (from, to), ``death`` (from)."""

    id: int
    at: datetime
    kind: str = Field(examples=["continue"])
    from_id: UUID | None
    to_id: UUID | None
    overlap: float | None = Field(description="share of the posts of from that are in to now")
    similarity: float | None = Field(description="cosine of the two centres")
    run_id: UUID | None
    edit_id: UUID | None

    @classmethod
    def of(cls, row: TopicLineage) -> Self:
        """As the API shows it."""
        return cls.model_validate(row, from_attributes=True)


class Lineage(BaseModel):
    """The newest first."""

    events: list[LineageOut]


@router.post("/discover", status_code=202, summary="Find the topics of a window")
def discover(body: requests.DiscoverRequest, request: Request, caller: Analyst) -> RunOut:
    """Starts a run over the posts of a window; topics that were there keep their ids. One at a time (409)."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return RunOut.of(requests.start(runtime, session, body, caller))


@router.get("", summary="List topics")
def list_topics(
    request: Request,
    _: Reader,
    layer: reading.Layer | None = "topic",
    state: Annotated[list[reading.State], Query(min_length=1, max_length=4)] = ["active", "candidate"],  # noqa: B006
    kind: reading.Kind | None = None,
    parent_id: UUID | None = None,
    hidden: bool = False,
    name: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> TopicList:
    """Topics by size, with the share of posts that belong to none; ``hidden`` shows hidden ones too."""
    with runtime_of(request).database.session() as session:
        found, total = reading.page(
            session, layer=layer, states=state, kind=kind, parent_id=parent_id, hidden=hidden, name=name,
            limit=limit, offset=offset,
        )  # fmt: skip
        outside = reading.outliers(session)
    return TopicList(
        topics=[TopicOut.of(topic, size) for topic, size in found],
        total=total,
        next_offset=offset + limit if offset + limit < total else None,
        posts=outside.posts,
        outliers=outside.outliers,
        outlier_share=outside.share,
    )


@router.get("/{topic_id}", summary="Read a topic")
def read_topic(topic_id: UUID, request: Request, _: Reader) -> TopicOut:
    """Name, keywords, summary and size of one topic, whatever its state."""
    with runtime_of(request).database.session() as session:
        topic = reading.get(session, topic_id)
        return TopicOut.of(topic, reading.sizes(session, [topic])[topic.id])


@router.get("/{topic_id}/posts", summary="Read a topic's posts")
def read_topic_posts(
    topic_id: UUID,
    request: Request,
    _: Reader,
    order: reading.Order = "strongest",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> TopicPosts:
    """Those that belong most firmly first, or the newest; of a theme those of its topics."""
    with runtime_of(request).database.session() as session:
        found = reading.posts(session, reading.get(session, topic_id), order=order, limit=limit + 1, offset=offset)
    shown = [TopicPost.of(post, member) for post, member in found[:limit]]
    return TopicPosts(posts=shown, next_offset=offset + limit if len(found) > limit else None)


@router.get("/{topic_id}/lineage", summary="Read what became of a topic")
def read_lineage(
    topic_id: UUID, request: Request, _: Reader, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> Lineage:
    """Births, continuations, merges, splits and deaths, by runs and by people."""
    with runtime_of(request).database.session() as session:
        reading.get(session, topic_id)
        return Lineage(events=[LineageOut.of(row) for row in reading.lineage(session, topic_id, limit=limit)])
