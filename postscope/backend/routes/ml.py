"""What is built on heads: sentiment, segments, popularity, each by the user's own head where one is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from postscope.backend.auth import Caller, Role, require
from postscope.backend.errors import Conflict
from postscope.backend.heads import definitions, registry
from postscope.backend.heads.definitions import BUILT_IN
from postscope.backend.heads.predicting import PredictRequest, Said, features_for, predict, silent
from postscope.backend.heads.segments import default_segments
from postscope.backend.routes.state import runtime_of
from postscope.backend.runtime import Runtime
from postscope.backend.tagging.adhoc import TagItem, TagRequest, tag
from postscope.indexing.sentiment.base import MOODS

router = APIRouter(prefix="/api/ml", tags=["ml"])

Reader = Annotated[Caller, Depends(require(Role.PRODUCT, Role.ANALYST, Role.MODERATOR))]


class Popularity(BaseModel):
    """Likes, comments and shares that a post is expected to have in the end; 8 of 10 lie between ``low`` and
    ``high``."""

    version: int
    engagement: float
    low: float
    high: float


class Tried(BaseModel):
    """How a version did on the newest posts, which it was not taught."""

    version: int
    posts: int
    explained: float | None = Field(
        description="share of the differences between posts (R² of the logarithm) that it explains; of 0 or less it "
        "tells no more than the mean of all posts",
        examples=[0.31],
    )
    interval_coverage: float | None = Field(description="share of posts within their intervals", examples=[0.79])


class PopularityAnswer(BaseModel):
    """One answer an item, in their order."""

    items: list[Popularity]
    held_out: list[Tried] = Field(description="of each version that answered")
    known: list[str] = Field(
        description="what is looked at beside the content; metrics never are, since nobody knows them at first",
        examples=[["source", "language", "time", "length", "media", "metadata.*"]],
    )


class Sentiment(BaseModel):
    """How an item sounds. ``by``: a trained head, or the scorer of the settings, by its name and version."""

    by: str = Field(examples=["phrases-1"])
    version: int | None = Field(None, description="of the head")
    sentiment: Literal["negative", "neutral", "positive"] | None = Field(
        description="null: there are no words to tell by"
    )
    probabilities: dict[str, float] = Field(examples=[{"negative": 0.05, "neutral": 0.2, "positive": 0.75}])


class SentimentAnswer(BaseModel):
    """One answer an item, in their order."""

    items: list[Sentiment]


@router.post("/sentiment", summary="How content sounds")
def sentiment(request: Request, _: Reader, body: PredictRequest) -> SentimentAnswer:
    """By your own head where one is trained (`POST /v1/heads/sentiment/train`), otherwise by the scorer that the
    settings name, which works offline."""
    runtime = runtime_of(request)
    said = predict(runtime, "sentiment", body.items)
    if said is None:
        return SentimentAnswer(items=_scored(runtime, body))
    return SentimentAnswer(
        items=[
            Sentiment.model_validate(
                {"by": "head", "version": item.version, "sentiment": item.label, "probabilities": item.probabilities}
            )
            for item in said
        ]
    )


class Segment(BaseModel):
    """What an item is mostly about. ``by``: a trained head, or ``zero_shot`` where there is none."""

    by: Literal["head", "zero_shot"]
    version: int | None = Field(None, description="of the head")
    segment: str | None = Field(description="null: none of these", examples=["food and drink"])
    probabilities: dict[str, float] = Field(examples=[{"food and drink": 0.81, "travel": 0.06}])


class SegmentAnswer(BaseModel):
    """One answer an item, in their order."""

    items: list[Segment]


@router.post("/segments", summary="What content is mostly about")
def segments(request: Request, _: Reader, body: PredictRequest) -> SegmentAnswer:
    """By your own head where one is trained (`POST /v1/heads/segments/train`), otherwise without training, by 18
    segments that the project names."""
    runtime = runtime_of(request)
    said = predict(runtime, "segments", body.items)
    if said is not None:
        return SegmentAnswer(
            items=[
                Segment(by="head", version=item.version, segment=item.label, probabilities=item.probabilities)
                for item in said
            ]
        )
    wanted = [TagItem(text=item.text, image=item.image, post_id=item.post_id) for item in body.items]
    answer = tag(runtime, TagRequest(items=wanted, labels=default_segments(), top=18))
    return SegmentAnswer(
        items=[
            Segment(
                by="zero_shot",
                segment=next((label.label for label in item.labels if label.given), None),
                probabilities={label.label: label.score for label in item.labels},
            )
            for item in answer.items
        ]
    )


@router.post("/popularity", summary="How many people a post will move")
def popularity(request: Request, _: Reader, body: PredictRequest) -> PopularityAnswer:
    """By a head that was trained on the engagement of the posts that are here: `POST /v1/heads/popularity/train`."""
    runtime = runtime_of(request)
    said = _ask(runtime, "popularity", body)
    items = [
        Popularity(
            version=item.version,
            engagement=_count(item.value),
            low=_count(item.low),
            high=_count(item.high),
        )
        for item in said
    ]
    held_out = _tried(runtime, "popularity", sorted({item.version for item in said}))
    return PopularityAnswer(items=items, held_out=held_out, known=list(BUILT_IN["popularity"].fields))


def _tried(runtime: Runtime, name: str, numbers: Sequence[int]) -> list[Tried]:
    with runtime.database.session() as session:
        head = definitions.get(session, name)
        reports = [(number, registry.get(session, head, number).report["held_out"]) for number in numbers]
    return [
        Tried(version=number, posts=told["posts"], explained=told["r2"], interval_coverage=told["interval_coverage"])
        for number, told in reports
    ]


def _scored(runtime: Runtime, body: PredictRequest) -> list[Sentiment]:
    scorer = runtime.sentiment.of(runtime.live)
    if scorer is None:
        raise Conflict("sentiment is switched off, and no head is trained", code="not_trained")
    _, posts = features_for(runtime, body.items, ())
    vectors = [row if there else None for row, there in zip(posts.text, posts.has_text.tolist(), strict=True)]
    answers = []
    for row in scorer.score(posts.texts, vectors).tolist():
        known = not any(math.isnan(share) for share in row)
        shares = dict(zip(MOODS, (round(share, 4) for share in row), strict=True)) if known else {}
        best = max(shares, key=lambda mood: shares[mood]) if known else None
        answers.append(Sentiment.model_validate({"by": scorer.id, "sentiment": best, "probabilities": shares}))
    return answers


def _ask(runtime: Runtime, name: str, body: PredictRequest) -> list[Said]:
    said = predict(runtime, name, body.items)
    if said is None:
        advice = f"{name} has no default; train it on your own posts: POST /v1/heads/{name}/train"
        raise silent(runtime, name, advice)
    return said


def _count(logarithm: float | None) -> float:
    return round(max(0.0, float(np.expm1(logarithm or 0.0))), 1)
