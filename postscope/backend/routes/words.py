"""What is said in the media of a post, and what is written in their pictures."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from postscope.backend.auth import require
from postscope.backend.posts import get_post
from postscope.backend.routes.posts import READERS
from postscope.backend.routes.state import runtime_of
from postscope.backend.tables import MediaText

router = APIRouter(prefix="/v1/posts", tags=["posts"])


class WordsOut(BaseModel):
    """One stretch of speech, or one text in a picture, as it was recognised."""

    model_config = ConfigDict(from_attributes=True)

    media_index: int = Field(description="which of the post's media, counted from 0", examples=[0])
    kind: Literal["speech", "picture"] = Field(examples=["speech"])
    text: str = Field(
        description="lines of a picture are separated by line breaks", examples=["the ferry leaves at noon"]
    )
    start_seconds: float | None = Field(description="null in a still picture", examples=[2.4])
    end_seconds: float | None = Field(examples=[4.1])
    language: str | None = Field(description="null is unknown", examples=["en"])
    language_confidence: float | None = Field(examples=[0.93])
    confidence: float | None = Field(description="of the recognition, 0 to 1", examples=[0.88])
    detail: dict[str, Any] | None = Field(
        description="of speech, words as [start, end, word, confidence]; of a picture, boxes, one a line, as four "
        "corners in fractions of its width and height",
        examples=[{"words": [[2.4, 2.9, "ferry", 0.97]]}],
    )


class PostWordsAnswer(BaseModel):
    """In the order of the media and of time."""

    texts: list[WordsOut]


@router.get("/{post_id}/words", dependencies=[Depends(require(*READERS))])
def read_words(request: Request, post_id: UUID) -> PostWordsAnswer:
    """What is said in a post's media and written in their pictures, so far as it was taken apart."""
    with runtime_of(request).database.session() as session:
        _, media = get_post(session, post_id)
        index = {medium.id: place for place, medium in enumerate(media)}
        rows = session.scalars(select(MediaText).where(MediaText.post_id == post_id)).all()
        ordered = sorted(rows, key=lambda row: (index[row.media_id], row.kind, row.number))
        fields = WordsOut.model_fields.keys() - {"media_index"}
        return PostWordsAnswer(
            texts=[
                WordsOut(media_index=index[row.media_id], **{name: getattr(row, name) for name in fields})
                for row in ordered
            ]
        )
