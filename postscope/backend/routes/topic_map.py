"""The map of topics."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import AwareDatetime, BaseModel, Field

from postscope.backend.auth import Caller, Role, require
from postscope.backend.errors import Invalid
from postscope.backend.routes.state import runtime_of
from postscope.backend.topics import map as topic_map

router = APIRouter(prefix="/v1/topics", tags=["topics"])


class MapPointOut(BaseModel):
    """A post on the map; ``topic`` is its place in ``topics``, -1 for an outlier."""

    id: UUID
    x: float
    y: float
    topic: int = Field(examples=[0])
    created_at: datetime
    source: str = Field(examples=["chirper"])
    text: str = Field(examples=["The tide is out and the harbour is full of gulls"])


class MapTopicOut(BaseModel):
    """A topic, where most of its posts lie."""

    id: UUID
    name: str = Field(examples=["harbour, tide, gulls"])
    x: float
    y: float
    posts: int


class TopicMap(BaseModel):
    """Places of posts and topics. ``total`` is more than the points where ``limit`` made a sample of them."""

    topics: list[MapTopicOut]
    points: list[MapPointOut]
    total: int


@router.get(
    "/map",
    summary="The map of posts and topics",
    response_model=TopicMap,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def read_map(
    request: Request,
    _: Annotated[Caller, Depends(require(Role.ANALYST, Role.MODERATOR, Role.PRODUCT))],
    format: Literal["json", "html"] = "json",
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    to: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=200_000)] = 100_000,
) -> TopicMap | Response:
    """Posts that lie near one another are alike; from discovery to discovery they stay where they were.

    `format=html` is one page for a browser that loads nothing else and works offline.
    """
    if since is not None and to is not None and since >= to:
        raise Invalid.of("from", "must be before to")
    with runtime_of(request).database.session() as session:
        drawn = topic_map.draw(session, since=since, to=to, limit=limit)
    if format == "html":
        page, policy = topic_map.page(drawn)
        return HTMLResponse(page, headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})
    return TopicMap.model_validate(asdict(drawn))
