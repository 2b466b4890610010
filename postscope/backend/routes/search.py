"""Search: parse, call, answer."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from postscope.backend.auth import Caller, Role, require
from postscope.backend.banks.answers import with_verdicts
from postscope.backend.routes.state import runtime_of
from postscope.backend.searching.answers import SearchAnswer
from postscope.backend.searching.requests import SearchRequest
from postscope.backend.searching.service import search, similar

router = APIRouter(tags=["search"])

Reader = Annotated[Caller, Depends(require(Role.PRODUCT, Role.MODERATOR, Role.ANALYST))]


@router.post("/v1/search", summary="Find posts by text, image or example")
def search_posts(body: SearchRequest, request: Request, caller: Reader) -> SearchAnswer:
    """Posts that answer a text, look like an image or are like a post, within filters; best first.

    Several things may be asked at once with weights, and negative examples move posts down or out. Each hit says
    which part of it matched and why. A query that nothing answers gets no hits, and is told so.
    """
    runtime = runtime_of(request)
    answer = search(runtime, body, key_id=caller.key_id)
    if not body.moderation:
        return answer
    with runtime.database.session() as session:
        return with_verdicts(session, answer, caller)


@router.get("/v1/posts/{post_id}/similar", summary="Find posts like this one")
def similar_posts(
    post_id: UUID,
    request: Request,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    min_score: Annotated[float | None, Query(ge=0, le=1)] = None,
    cursor: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
) -> SearchAnswer:
    """Posts whose text means the same or whose images look alike; the post itself is not among them."""
    return similar(
        request.app.state.runtime, post_id, key_id=caller.key_id, limit=limit, min_score=min_score, cursor=cursor
    )
