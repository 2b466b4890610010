"""What is built on heads: sentiment, segments, popularity, each by the user's own head where one is trained."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from postscope.backend.auth import Caller, Role, require
from postscope.backend.errors import Conflict
from postscope.backend.heads.definitions import BUILT_IN
from postscope.backend.heads.predicting import PredictRequest, Said, predict
from postscope.backend.routes.state import runtime_of
from postscope.backend.runtime import Runtime

router = APIRouter(prefix="/api/ml", tags=["ml"])

Reader = Annotated[Caller, Depends(require(Role.PRODUCT, Role.ANALYST, Role.MODERATOR))]


class Popularity(BaseModel):
    """Likes, comments and shares that a post is expected to have in the end; 8 of 10 lie between ``low`` and
    ``high``."""

    version: int
    engagement: float
    low: float
    high: float


class PopularityAnswer(BaseModel):
    """One answer an item, in their order."""

    items: list[Popularity]
    known: list[str] = Field(
        description="what is looked at beside the content; metrics never are, since nobody knows them at first",
        examples=[["source", "language", "time", "length", "media", "metadata.*"]],
    )


@router.post("/popularity", summary="How many people a post will move")
def popularity(request: Request, _: Reader, body: PredictRequest) -> PopularityAnswer:
    """By a head that was trained on the engagement of the posts that are here: `POST /v1/heads/popularity/train`."""
    said = _ask(runtime_of(request), "popularity", body)
    items = [
        Popularity(
            version=item.version,
            engagement=_count(item.value),
            low=_count(item.low),
            high=_count(item.high),
        )
        for item in said
    ]
    return PopularityAnswer(items=items, known=list(BUILT_IN["popularity"].fields))


def _ask(runtime: Runtime, name: str, body: PredictRequest) -> list[Said]:
    said = predict(runtime, name, body.items)
    if said is None:
        raise Conflict(
            f"{name} has no default; train it on your own posts: POST /v1/heads/{name}/train", code="not_trained"
        )
    return said


def _count(logarithm: float | None) -> float:
    return round(max(0.0, float(np.expm1(logarithm or 0.0))), 1)
