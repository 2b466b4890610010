"""Verdicts: on posts, and on content that is not kept."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from postscope.backend.auth import Caller, Role, require
from postscope.backend.banks import answers, moderating
from postscope.backend.banks.answers import ModerationOut
from postscope.backend.banks.moderating import MlModeration
from postscope.backend.parameters import wrong_fields
from postscope.backend.routes.state import runtime_of
from postscope.backend.searching.requests import QueryImage

router = APIRouter(tags=["moderation"])

Reader = Annotated[Caller, Depends(require(Role.MODERATOR, Role.PRODUCT, Role.ANALYST))]


class ModerationIn(BaseModel):
    """A post that is kept, or content that is not."""

    post_id: UUID | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=100_000)] | None = None
    images: Annotated[list[QueryImage], Field(max_length=20)] = []
    media: Annotated[list[QueryImage], Field(max_length=4)] = Field(
        [], description="of any kind, videos and sounds too; numbered in the answer after the images"
    )

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "Double your money in a day, send to this wallet"}]},
    )

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        content = self.text is not None or bool(self.images) or bool(self.media)
        if content == (self.post_id is not None):
            fields = ("post_id", "text", "images", "media")
            raise wrong_fields(type(self).__name__, fields, "give either post_id, or text, images and media")
        return self


@router.get("/v1/posts/{post_id}/moderation", summary="What the banks say of a post")
def read_moderation(post_id: UUID, request: Request, caller: Reader) -> ModerationOut:
    """The verdict of the last check, with the matches in banks that the caller may see."""
    with runtime_of(request).database.session() as session:
        return answers.of_post(session, post_id, caller)


@router.post("/api/ml/moderation", summary="Judge a post, or content that is not kept")
def moderate(request: Request, caller: Reader, given: Annotated[ModerationIn, Body()]) -> MlModeration:
    """The banks' verdict, and how likely it is spam, abuse, hate, sexual, violent or about self-harm.

    Tags are a model's opinion and no verdict: they never make a match, and no match is missing for want of them.
    """
    runtime = runtime_of(request)
    if given.post_id is not None:
        return moderating.of_post(runtime, given.post_id, caller)
    return moderating.of_content(runtime, given.text, given.images, given.media, caller)
