"""What people decide about topics: rename, hide, pin, merge, split off, exclude, watch; and taking it back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from postscope.backend.auth import Caller, Role, require
from postscope.backend.routes.state import runtime_of
from postscope.backend.routes.topics import TopicOut
from postscope.backend.tables import TopicEdit
from postscope.backend.topics import edits, making, reading, undoing

router = APIRouter(prefix="/v1/topics", tags=["topics"])

Analyst = Annotated[Caller, Depends(require(Role.ANALYST))]
TopicName = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TopicChange(_Model):
    """What is given is changed. ``name`` null gives the naming back to the machine."""

    name: TopicName | None = Field(None, examples=["Cancelled flights"])
    hidden: bool | None = None
    pinned: bool | None = Field(None, description="a pinned topic lives, and holds its posts, until it is unpinned")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("give name, hidden or pinned")
        return self


class TopicMerge(_Model):
    """Topics to put into another."""

    topic_ids: Annotated[list[UUID], Field(min_length=1, max_length=50)]


class PostIds(_Model):
    """Posts of a topic."""

    post_ids: Annotated[list[UUID], Field(min_length=1, max_length=1_000)]


class TopicSplit(PostIds):
    """Posts of a topic that are to be a topic of their own."""

    name: TopicName | None = Field(None, examples=["Lost luggage"])


class TopicWatch(_Model):
    """What to look for: words, example posts, or both."""

    name: TopicName = Field(examples=["Storm damage"])
    words: Annotated[str, StringConstraints(min_length=1, max_length=1_000, strip_whitespace=True)] | None = Field(
        None, examples=["roofs torn off, trees down, flooded streets"]
    )
    post_ids: Annotated[list[UUID], Field(max_length=100)] = []

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.words is None and not self.post_ids:
            raise ValueError("give words, post_ids or both")
        return self


class EditOut(BaseModel):
    """One decision. ``touched`` are the topics that it changed or made, ``params`` what was decided."""

    id: UUID
    at: datetime
    actor: str = Field(examples=["ana"])
    action: str = Field(examples=["merge"])
    touched: list[UUID]
    params: dict[str, Any]
    undone_at: datetime | None
    undone_by: str | None

    @classmethod
    def of(cls, edit: TopicEdit) -> Self:
        """As the API shows it."""
        return cls.model_validate(edit, from_attributes=True)


class EditList(BaseModel):
    """The newest first."""

    edits: list[EditOut]
    next_before: UUID | None


class MadeTopic(BaseModel):
    """A topic that a person made, and the edit that undoes it."""

    topic: TopicOut
    edit: EditOut


@router.post("", status_code=201, summary="Watch for a topic")
def watch_topic(body: TopicWatch, request: Request, caller: Analyst) -> MadeTopic:
    """A topic of what is like these words and posts: it takes the posts that are, now and as they come in."""
    runtime = runtime_of(request)
    topic, edit = making.watch(
        runtime, name=body.name, words=body.words, posts=list(dict.fromkeys(body.post_ids)), actor=caller.name
    )
    with runtime.database.session() as session:
        return MadeTopic(topic=TopicOut.of(topic, reading.sizes(session, [topic])[topic.id]), edit=EditOut.of(edit))


@router.patch("/{topic_id}", summary="Rename, hide or pin a topic")
def change_topic(topic_id: UUID, body: TopicChange, request: Request, caller: Analyst) -> EditOut:
    """Later discoveries leave it so."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        edit = edits.change(
            session, topic_id, name=body.name, rename="name" in body.model_fields_set, hidden=body.hidden,
            pinned=body.pinned, actor=caller.name, now=runtime.clock(),
        )  # fmt: skip
        return EditOut.of(edit)


@router.post("/{topic_id}/merge", summary="Merge topics into this one")
def merge_topics(topic_id: UUID, body: TopicMerge, request: Request, caller: Analyst) -> EditOut:
    """Their posts and sub-topics move here, and later discoveries keep them together."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return EditOut.of(edits.merge(session, topic_id, body.topic_ids, actor=caller.name, now=runtime.clock()))


@router.post("/{topic_id}/split", status_code=201, summary="Split posts off from a topic")
def split_topic(topic_id: UUID, body: TopicSplit, request: Request, caller: Analyst) -> MadeTopic:
    """The posts become a topic of their own, and later discoveries leave them there."""
    runtime = runtime_of(request)
    posts = list(dict.fromkeys(body.post_ids))
    topic, edit = making.split(runtime, topic_id, posts, name=body.name, actor=caller.name)
    return MadeTopic(topic=TopicOut.of(topic, len(posts)), edit=EditOut.of(edit))


@router.post("/{topic_id}/exclude", summary="Say that posts do not belong to a topic")
def exclude_posts(topic_id: UUID, body: PostIds, request: Request, caller: Analyst) -> EditOut:
    """They leave the topic, nothing puts them there again, and another topic may take them."""
    runtime = runtime_of(request)
    posts = list(dict.fromkeys(body.post_ids))
    with runtime.database.session() as session:
        return EditOut.of(edits.exclude(session, topic_id, posts, actor=caller.name, now=runtime.clock()))


@router.get("/edits", summary="List what people decided about topics")
def list_edits(
    request: Request,
    _: Analyst,
    topic_id: UUID | None = None,
    before: Annotated[UUID | None, Query(description="next_before of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> EditList:
    """Of one topic or of all, the newest first; those that were undone too."""
    with runtime_of(request).database.session() as session:
        found = edits.recent(session, topic_id=topic_id, before=before, limit=limit)
        return EditList(
            edits=[EditOut.of(edit) for edit in found], next_before=found[-1].id if len(found) == limit else None
        )


@router.post("/edits/{edit_id}/undo", summary="Undo an edit")
def undo_edit(edit_id: UUID, request: Request, caller: Analyst) -> EditOut:
    """Everything is as it was before; 409 while a later edit of the same topics stands."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return EditOut.of(undoing.undo(session, edit_id, actor=caller.name, now=runtime.clock()))
