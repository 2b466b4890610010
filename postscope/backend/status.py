"""What was done for a post, what waits, what failed and why."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.posts import get_post
from postscope.backend.tables import Media, Post, Work
from postscope.backend.understanding import PartStatus, parts_of
from postscope.backend.work import Stage

StageState = Literal["done", "waiting", "running", "failed", "not_needed"]


class StageStatus(BaseModel):
    """One stage of one post; ``error`` is that of the last attempt."""

    model_config = ConfigDict(frozen=True)

    stage: str = Field(examples=["index"])
    state: StageState
    attempts: int = 0
    next_attempt_at: datetime | None = Field(None, examples=[None])
    error_code: str | None = None
    error: str | None = None


class MediaStatus(BaseModel):
    """One medium: waiting (to be fetched), ready (its bytes are here), indexed, or failed with the reason.

    ``understood``: it was taken apart, and ``parts`` says what became of each part.
    """

    model_config = ConfigDict(frozen=True)

    position: int = Field(examples=[0])
    state: str = Field(examples=["failed"])
    kind: str | None = Field(examples=["image"])
    mime: str | None = Field(examples=["image/png"])
    error_code: str | None = Field(examples=["truncated"])
    error: str | None = Field(examples=["the file ends before its content does"])
    understood: bool = Field(examples=[True])
    parts: list[PartStatus]


class PostStatus(BaseModel):
    """The whole of it. ``searchable``: some version of the post is found; ``current``: it is this one.

    ``understood``: its media were taken apart, and what was found is searchable too.
    ``enriched``: tags, copies, matches and topic are known for this version too.
    """

    model_config = ConfigDict(frozen=True)

    id: uuid.UUID
    version: int = Field(examples=[2])
    indexed_version: int | None = Field(examples=[2])
    indexed_at: datetime | None
    searchable: bool = Field(examples=[True])
    current: bool = Field(examples=[True])
    understood: bool = Field(examples=[True])
    enriched: bool = Field(examples=[True])
    stages: list[StageStatus]
    media: list[MediaStatus]


_LATER = {Stage.UNDERSTAND.value, Stage.ENRICH.value}
"""Work that adds to a post that is searchable already."""

_SHOWN = (Stage.EXTRACT, Stage.UNDERSTAND, Stage.INDEX, Stage.ENRICH)


def post_status(session: Session, post_id: uuid.UUID) -> PostStatus:
    """The status of a post.

    Raises:
        NotFound: there is no such post.
    """
    post, media = get_post(session, post_id)
    parts = parts_of(session, media)
    rows = {row.stage: row for row in session.scalars(select(Work).where(Work.post_id == post_id))}
    return PostStatus(
        id=post.id,
        version=post.version,
        indexed_version=post.indexed_version,
        indexed_at=post.indexed_at,
        searchable=post.indexed_version is not None,
        current=post.indexed_version == post.version and rows.keys() <= _LATER,
        understood=all(m.state == "failed" or (m.understood_at and m.joined_at == m.understood_at) for m in media),
        enriched=post.enriched_version == post.version and rows.keys() <= {Stage.UNDERSTAND.value},
        stages=[_stage(stage, rows.get(stage.value), post, media) for stage in _SHOWN],
        media=[
            MediaStatus(
                position=m.position,
                state=m.state,
                kind=m.kind,
                mime=m.mime,
                error_code=m.error_code,
                error=m.error,
                understood=m.understood_at is not None,
                parts=parts[m.id],
            )
            for m in media
        ],
    )


def _stage(stage: Stage, row: Work | None, post: Post, media: list[Media]) -> StageStatus:
    if row is not None:
        state: StageState = "running" if row.state == "running" else "failed" if row.state == "failed" else "waiting"
        return StageStatus(
            stage=stage.value,
            state=state,
            attempts=row.attempts,
            next_attempt_at=row.run_after if state == "waiting" else None,
            error_code=row.error_code,
            error=row.error,
        )
    if stage is Stage.EXTRACT and not any(m.url for m in media):
        return StageStatus(stage=stage.value, state="not_needed")
    if stage is Stage.UNDERSTAND:
        waits = any(m.understood_at is None and m.state != "failed" for m in media)
        return StageStatus(stage=stage.value, state="not_needed" if not media else "waiting" if waits else "done")
    reached = {Stage.INDEX: post.indexed_version, Stage.ENRICH: post.enriched_version}
    done = reached.get(stage, post.version) == post.version
    return StageStatus(stage=stage.value, state="done" if done else "waiting")
