"""Posts over time, and the posts behind every number."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, StringConstraints

from postscope.backend.auth import Role, require
from postscope.backend.routes.exports import TABLES, answered
from postscope.backend.routes.posts import PostOut, post_out
from postscope.backend.routes.state import runtime_of
from postscope.backend.trends.answers import TimelineOut, timeline_out, timeline_rows
from postscope.backend.trends.listing import list_posts
from postscope.backend.trends.requests import PostFilter, TimelineQuery
from postscope.backend.trends.selection import resolve
from postscope.backend.trends.timelines import read_timeline
from postscope.backend.understanding import parts_of

router = APIRouter(tags=["trends"])

READERS = (Role.ANALYST, Role.PRODUCT, Role.MODERATOR)


class PostsQuery(PostFilter):
    """A filter, and which page of it."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = None


class PostsOut(BaseModel):
    """The newest first. ``total`` counts all of the filter; ``next_cursor`` asks for what follows."""

    total: int
    posts: list[PostOut]
    next_cursor: str | None


@router.get("/v1/posts", summary="List posts", dependencies=[Depends(require(*READERS))])
def read_posts(request: Request, asked: Annotated[PostsQuery, Query()]) -> PostsOut:
    """The posts of a filter. Every number of a timeline or trend links here, to the posts that it counts."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        page = list_posts(
            session, asked, author_key=runtime.author_key, now=runtime.clock(), limit=asked.limit, cursor=asked.cursor
        )
        parts = parts_of(session, [medium for _, media in page.posts for medium in media])
    posts = [post_out(post, media, parts) for post, media in page.posts]
    return PostsOut(total=page.total, posts=posts, next_cursor=page.cursor)


@router.get(
    "/v1/timeline",
    summary="Posts over time",
    dependencies=[Depends(require(*READERS))],
    response_model=TimelineOut,
    responses=TABLES,
)
def read_posts_timeline(request: Request, asked: Annotated[TimelineQuery, Query()]) -> Any:
    """Posts, authors, reach, engagement, mixes and sentiment of any filter, in buckets without gaps."""
    return answer_timeline(request, asked)


@router.get(
    "/v1/topics/{topic_id}/timeline",
    summary="A topic over time",
    dependencies=[Depends(require(*READERS))],
    response_model=TimelineOut,
    responses=TABLES,
)
def read_topic_timeline(request: Request, topic_id: UUID, asked: Annotated[TimelineQuery, Query()]) -> Any:
    """The same of one topic. A topic that was merged away answers with what it was merged into."""
    with runtime_of(request).database.session() as session:
        found = resolve(session, topic_id).id
    return answer_timeline(request, asked.model_copy(update={"topic_id": found}))


def answer_timeline(request: Request, asked: TimelineQuery) -> Any:
    """A timeline in the format that was asked for."""
    runtime = runtime_of(request)
    now = runtime.clock()
    timeline = read_timeline(runtime.database, asked, author_key=runtime.author_key, now=now)
    out = timeline_out(timeline, asked, now=now)
    return answered(request, asked.format, out, lambda: timeline_rows(out), "timeline")
