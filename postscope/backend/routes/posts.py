"""Posts in, out, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from postscope.backend.auth import Role, require
from postscope.backend.logs import current_request_id
from postscope.backend.post_schema import PostIn
from postscope.backend.posts import MAX_BATCH, Verdict, get_post
from postscope.backend.routes.state import runtime_of
from postscope.backend.status import PostStatus, post_status
from postscope.backend.tables import Media, Post
from postscope.backend.understanding import PartStatus, parts_of

router = APIRouter(prefix="/v1/posts", tags=["posts"])

WRITERS = (Role.INGEST,)
READERS = (Role.PRODUCT, Role.MODERATOR, Role.ANALYST, Role.INGEST)


_ANSWER: Final[JsonDict] = {
    "accepted": 1,
    "updated": 0,
    "unchanged": 0,
    "rejected": 1,
    "posts": [
        {"index": 0, "status": "accepted", "id": "0199b3c4-6d0e-7c3a-9f57-0d7a2c5e8b11", "errors": []},
        {
            "index": 1,
            "status": "rejected",
            "id": None,
            "errors": [{"field": "created_at", "reason": "must carry a time zone, such as 2026-03-02T09:30:00Z"}],
        },
    ],
}


class Problem(BaseModel):
    """Which field is wrong, and why."""

    field: str = Field(examples=["created_at"])
    reason: str = Field(examples=["must carry a time zone, such as 2026-03-02T09:30:00Z"])


class PostVerdict(BaseModel):
    """What became of one post of the batch: ``index`` is its place in it."""

    index: int
    status: Literal["accepted", "updated", "unchanged", "rejected"]
    id: UUID | None
    errors: list[Problem]


class BatchAnswer(BaseModel):
    """Every post of the batch with its own verdict, in order."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ANSWER]})

    accepted: int
    updated: int
    unchanged: int
    rejected: int
    posts: list[PostVerdict]


class PostBatch(BaseModel):
    """1 to 1,000 posts. They are checked one by one: a bad one is rejected alone."""

    model_config = ConfigDict(extra="forbid")

    posts: Annotated[
        list[Any],
        Field(
            min_length=1,
            max_length=MAX_BATCH,
            json_schema_extra={"items": {"$ref": "#/components/schemas/PostIn"}},
        ),
    ]


class MediaOut(BaseModel):
    """One medium of a post and its state."""

    position: int = Field(examples=[0])
    url: str | None = Field(examples=["https://example.org/harbour.jpg"])
    upload_id: UUID | None = Field(examples=[None])
    kind: str | None = Field(description="image, video or audio; null until its bytes are here", examples=["video"])
    mime: str | None = Field(examples=["image/jpeg"])
    width: int | None = Field(examples=[1024])
    height: int | None = Field(examples=[768])
    state: str = Field(examples=["indexed"])
    error_code: str | None
    error: str | None
    duration_seconds: float | None = Field(examples=[12.5])
    understood_at: datetime | None = Field(description="when it was taken apart into frames and words")
    parts: list[PartStatus]


class PostOut(BaseModel):
    """A post as it is kept; the author is known only by a keyed hash."""

    id: UUID
    source: str = Field(examples=["chirper"])
    external_id: str = Field(examples=["842"])
    author_hash: str | None = Field(examples=["6f1c0b7f0e2f4e1c9a58d5b7c3a2e910"])
    created_at: datetime
    text: str = Field(examples=["The tide is out and the harbour is full of gulls #harbour"])
    language: str | None = Field(description="as the client gave it", examples=["en"])
    detected_language: str | None = Field(description="of the indexed text, ISO 639; null is unknown", examples=["en"])
    language_confidence: float | None = Field(description="of detected_language, 0 to 1", examples=[0.97])
    tags: list[str] = Field(examples=[["harbour"]])
    metrics: dict[str, float] = Field(examples=[{"likes": 12, "views": 340}])
    metadata: dict[str, Any] = Field(examples=[{"region": "north"}])
    media: list[MediaOut]
    version: int
    received_at: datetime
    updated_at: datetime
    indexed_at: datetime | None


EXAMPLE = {
    "posts": [
        {
            "source": "chirper",
            "external_id": "842",
            "author": "@mara",
            "created_at": "2026-03-02T09:30:00Z",
            "text": "The tide is out and the harbour is full of gulls #harbour",
            "language": "en",
            "metrics": {"likes": 12, "views": 340},
            "metadata": {"region": "north"},
        }
    ]
}


@router.post("", status_code=202, response_model=BatchAnswer, dependencies=[Depends(require(*WRITERS))])
def create_posts(request: Request, batch: Annotated[PostBatch, Body(examples=[EXAMPLE])]) -> Response:
    """Take in posts. They are searchable as soon as a worker has indexed them: see their status."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        verdicts = runtime.posts.create(session, batch.posts, now=runtime.clock(), request_id=current_request_id())
    counts = {status: sum(v.status == status for v in verdicts) for status in ("accepted", "updated", "unchanged")}
    runtime.metrics.posts_accepted(counts["accepted"] + counts["updated"])
    # Written without models: a thousand of them would cost more than the answer itself.
    answer = {**counts, "rejected": len(verdicts) - sum(counts.values()), "posts": [_verdict(v) for v in verdicts]}
    return Response(_dumped(answer), status_code=202, media_type="application/json")


@router.get("/{post_id}", dependencies=[Depends(require(*READERS))])
def read_post(request: Request, post_id: UUID) -> PostOut:
    """One post with its media."""
    with runtime_of(request).database.session() as session:
        post, media = get_post(session, post_id)
        return post_out(post, media, parts_of(session, media))


@router.delete("/{post_id}", status_code=204, dependencies=[Depends(require(*WRITERS))])
def delete_post(request: Request, post_id: UUID) -> Response:
    """Remove a post. It is in no answer any more; its vectors go as soon as a worker gets to it."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        runtime.posts.delete(session, post_id, now=runtime.clock(), request_id=current_request_id())
    return Response(status_code=204)


@router.get("/{post_id}/status", dependencies=[Depends(require(*READERS))])
def read_status(request: Request, post_id: UUID) -> PostStatus:
    """What was done for the post, what waits, what failed and why."""
    with runtime_of(request).database.session() as session:
        return post_status(session, post_id)


def _dumped(answer: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(answer)
    except orjson.JSONEncodeError:  # the name of a field that is wrong may hold half a surrogate pair
        return json.dumps(answer, default=str).encode()


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "index": verdict.index,
        "status": verdict.status,
        "id": verdict.id,
        "errors": [{"field": problem.field, "reason": problem.reason} for problem in verdict.problems],
    }


def post_out(post: Post, media: list[Media], parts: Mapping[UUID, list[PartStatus]]) -> PostOut:
    """As the API shows it."""
    return PostOut(
        id=post.id,
        source=post.source,
        external_id=post.external_id,
        author_hash=post.author_hash,
        created_at=post.created_at,
        text=post.text,
        language=post.language,
        detected_language=post.detected_language,
        language_confidence=post.language_confidence,
        tags=post.tags,
        metrics=post.metrics,
        metadata=post.attributes,
        media=[_medium(medium, parts.get(medium.id, [])) for medium in media],
        version=post.version,
        received_at=post.received_at,
        updated_at=post.updated_at,
        indexed_at=post.indexed_at,
    )


def _medium(medium: Media, parts: list[PartStatus]) -> MediaOut:
    return MediaOut(
        position=medium.position,
        url=medium.url,
        upload_id=medium.upload_id,
        kind=medium.kind,
        mime=medium.mime,
        width=medium.width,
        height=medium.height,
        state=medium.state,
        error_code=medium.error_code,
        error=medium.error,
        duration_seconds=medium.duration_seconds,
        understood_at=medium.understood_at,
        parts=parts,
    )


def post_schema() -> dict[str, Any]:
    """The schema of one post, for the OpenAPI document: the batch checks its posts one by one."""
    return PostIn.model_json_schema(ref_template="#/components/schemas/{model}")
