"""Tags: of what is sent along, of posts, over time."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from postscope.backend.auth import Role, require
from postscope.backend.parameters import Counted
from postscope.backend.routes.exports import TABLES
from postscope.backend.routes.state import runtime_of
from postscope.backend.routes.timelines import answer_timeline
from postscope.backend.tagging import reading_tags, taxonomies
from postscope.backend.tagging.adhoc import TagAnswer, TagRequest, tag
from postscope.backend.trends.answers import TimelineOut
from postscope.backend.trends.requests import TimelineQuery

router = APIRouter(tags=["tags"], dependencies=[Depends(require(Role.PRODUCT, Role.ANALYST, Role.MODERATOR))])

Version = Annotated[Counted | None, Query(description="by default the live version")]


class TagOut(BaseModel):
    """A label that a post has, and its probability."""

    taxonomy: str = Field(examples=["news"])
    version: int
    label: str = Field(examples=["sport/football"])
    score: float = Field(examples=[0.83])


class PostTags(BaseModel):
    """The labels of a post."""

    tags: list[TagOut]


class LabelCount(BaseModel):
    """How many posts have a label."""

    label: str = Field(examples=["sport"])
    posts: int


class LabelCounts(BaseModel):
    """Every label of a version, in its order."""

    version: int
    labels: list[LabelCount]


class TaggedPost(BaseModel):
    """A post that has a label."""

    post_id: UUID
    score: float


class TaggedPosts(BaseModel):
    """The most probable first."""

    posts: list[TaggedPost]


@router.post("/v1/tag", summary="Tag texts, images or posts")
def tag_items(body: TagRequest, request: Request) -> TagAnswer:
    """Against labels given in the call, or a taxonomy of any state. Nothing is kept."""
    return tag(runtime_of(request), body)


@router.get("/v1/posts/{post_id}/tags", summary="The labels of a post")
def read_post_tags(post_id: UUID, request: Request, versions: Literal["live", "all"] = "live") -> PostTags:
    """What the live versions say of a post; `all`: old versions too."""
    with runtime_of(request).database.session() as session:
        found = reading_tags.tags_of(session, post_id, versions=versions)
    return PostTags(tags=[TagOut.model_validate(said, from_attributes=True) for said in found])


@router.get("/v1/tags/{taxonomy}", summary="How many posts have which label")
def read_counts(taxonomy: str, request: Request, version: Version = None) -> LabelCounts:
    """Of the live version, or of an old one."""
    with runtime_of(request).database.session() as session:
        chosen = taxonomies.get_version(session, taxonomy, version)
        found = reading_tags.counts(session, chosen)
    labels = [LabelCount.model_validate(counted, from_attributes=True) for counted in found]
    return LabelCounts(version=chosen.number, labels=labels)


@router.get("/v1/tags/{taxonomy}/{label:path}/posts", summary="The posts that have a label")
def read_posts(
    taxonomy: str,
    label: str,
    request: Request,
    version: Version = None,
    min_score: Annotated[float, Query(ge=0, le=1)] = 0.0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> TaggedPosts:
    """The most probable first, from a least probability on."""
    with runtime_of(request).database.session() as session:
        found = reading_tags.label_of(session, taxonomy, label, version)
        posts = reading_tags.posts_with(session, found, min_score=min_score, limit=limit)
    return TaggedPosts(posts=[TaggedPost(post_id=post_id, score=score) for post_id, score in posts])


@router.get(
    "/v1/tags/{taxonomy}/{label:path}/timeline",
    summary="A label over time",
    response_model=TimelineOut,
    responses=TABLES,
)
def read_timeline(request: Request, taxonomy: str, label: str, asked: Annotated[TimelineQuery, Query()]) -> Any:
    """What `GET /v1/timeline` says, of the posts that have a label; `taxonomy@1` asks for a version that is old."""
    return answer_timeline(request, asked.model_copy(update={"label": [f"{taxonomy}/{label}"]}))
