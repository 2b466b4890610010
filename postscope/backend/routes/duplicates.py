"""Near-duplicates: of a post, of content that is not stored, and groups of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from postscope.backend import runs
from postscope.backend.auth import Caller, Role, require
from postscope.backend.duplicates import checking, reading
from postscope.backend.duplicates.look_alikes import LookAlike, like_content, like_post
from postscope.backend.duplicates.reading import Order, Relation, Verdict
from postscope.backend.post_schema import MAX_TEXT
from postscope.backend.routes.runs import RunOut
from postscope.backend.routes.state import runtime_of
from postscope.backend.searching.requests import QueryImage

router = APIRouter(tags=["duplicates"])

READERS = (Role.PRODUCT, Role.MODERATOR, Role.ANALYST)
Reader = Annotated[Caller, Depends(require(*READERS))]
SWEEP = "duplicates.sweep"


class EvidenceOut(BaseModel):
    """One part that matches. ``changes`` says what was likely done to the other post's part to get this post's."""

    part: Literal["text", "image", "video", "audio"]
    score: float = Field(examples=[0.97])
    this_media: int | None = Field(description="place among this post's media; null for the text")
    other_media: int | None
    changes: list[str] = Field(examples=[["mirrored", "cropped to 69%"]])
    detail: dict[str, Any] = Field(
        description="measurements: bits between PDQs, features that fit, seconds that overlap",
        examples=[{"pdq_distance": 118, "features": 193, "agreement": 0.987}],
    )

    @classmethod
    def all_of(cls, evidence: Sequence[dict[str, Any]]) -> list[Self]:
        """As it is kept."""
        return [cls.model_validate(item) for item in evidence]


class CopyOut(BaseModel):
    """A post with the same content. ``relation``: the group's anchor (the earliest), a fellow member (which matches
    the anchor, as its evidence says), or a pair outside of groups."""

    kind: Literal["copy"] = "copy"
    post_id: UUID
    relation: Relation
    group_id: UUID | None
    score: float = Field(description="0.5 to 1; 1 is the very same", examples=[0.97])
    evidence: list[EvidenceOut]


class LookAlikeOut(BaseModel):
    """A post with other content that means or shows the same."""

    kind: Literal["look_alike"] = "look_alike"
    post_id: UUID
    score: float = Field(description="relevance, as in a search", examples=[0.86])
    why: list[str] = Field(examples=[["its text is close in meaning to the given post"]])


class UncheckedOut(BaseModel):
    """A medium that nothing can be said of: it may be a copy or not."""

    media: int | None = Field(description="place among the media that were given")
    media_id: UUID | None = None
    code: str = Field(examples=["truncated"])
    reason: str = Field(examples=["the image/jpeg file ends too early, after 8,123 bytes"])


class DuplicatesOut(BaseModel):
    """Copies and look-alikes, never mixed. ``no_copy`` is said only where every part could be checked."""

    verdict: Verdict
    group_id: UUID | None
    copies: list[CopyOut]
    look_alikes: list[LookAlikeOut]
    could_not_check: list[UncheckedOut]


class CheckIn(BaseModel):
    """Content that is not stored: a text, images, videos, sounds."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"text": "The tide is out and the harbour is full of gulls", "images": [
                {"url": "https://example.org/gulls.jpg"}]}]
        },
    )  # fmt: skip

    text: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    images: Annotated[list[QueryImage], Field(max_length=10)] = []
    media: Annotated[list[QueryImage], Field(max_length=4)] = Field(
        [], description="of any kind, videos and sounds too; numbered in the answer after the images"
    )
    look_alikes: Annotated[int, Field(ge=0, le=50)] = 10

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.text or "").strip() and not self.images and not self.media:
            raise ValueError("give a text, images or media")
        return self


class GroupOut(BaseModel):
    """Posts that are copies of one post, the anchor. ``recent`` counts those of the growth window."""

    id: UUID
    anchor_id: UUID
    size: int = Field(examples=[17])
    authors: int = Field(examples=[12])
    sources: int = Field(examples=[2])
    first_at: datetime
    last_at: datetime
    recent: int = Field(examples=[5])


class GroupList(BaseModel):
    """In the order asked for; ``next_offset`` is null on the last page."""

    groups: list[GroupOut]
    next_offset: int | None


class BucketOut(BaseModel):
    """Posts from ``start`` on, for the width of a bucket."""

    start: datetime
    posts: int = Field(examples=[4])


class SpreadOut(BaseModel):
    """How a group spread: its posts over time, and how fast. Buckets without posts are left out."""

    bucket_seconds: int = Field(examples=[3600])
    buckets: list[BucketOut]
    per_hour: float | None = Field(description="null where all came at once")
    peak_per_hour: float | None
    half_after_seconds: float


class MemberOut(BaseModel):
    """One member and how it matches the anchor; the anchor itself has no evidence."""

    post_id: UUID
    at: datetime
    source: str = Field(examples=["chirper"])
    author_hash: str | None
    score: float
    evidence: list[EvidenceOut]


class GroupDetail(GroupOut):
    """A group with its spread and a page of its members, the earliest first."""

    spread: SpreadOut
    members: list[MemberOut]
    next_offset: int | None


class SweepIn(BaseModel):
    """A dry run changes nothing, and tells how many posts are copies of others."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False


@router.get("/v1/posts/{post_id}/duplicates", summary="Copies and look-alikes of a post")
def read_duplicates(
    post_id: UUID,
    request: Request,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    look_alikes: Annotated[int, Query(ge=0, le=50)] = 10,
) -> DuplicatesOut:
    """Posts with the same content, whatever was done to it, each with the evidence; and posts that are like it."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        found = reading.copies_of(session, post_id, limit=limit)
        groups = reading.groups_of(session, [copy.post_id for copy in found.copies])
    like = like_post(runtime, post_id, {c.post_id for c in found.copies}, limit=look_alikes, key_id=caller.key_id)
    return DuplicatesOut(
        verdict=found.verdict,
        group_id=found.group_id,
        copies=[
            CopyOut(
                post_id=copy.post_id,
                relation=copy.relation,
                group_id=groups.get(copy.post_id),
                score=copy.score,
                evidence=EvidenceOut.all_of(copy.evidence),
            )
            for copy in found.copies
        ],
        look_alikes=_look_alikes(like),
        could_not_check=[
            UncheckedOut(media=None, media_id=failure.media_id, code=failure.code, reason=failure.reason)
            for failure in found.could_not_check
        ],
    )


@router.post("/v1/duplicates/check", summary="Whether content that is not stored is a copy")
def check_content(body: CheckIn, request: Request, caller: Reader) -> DuplicatesOut:
    """Posts that a text or media are copies of, or that a text or images look like. Nothing is kept of what is given.

    A video or sound is taken apart while you wait; one that takes too long could not be checked."""
    runtime = runtime_of(request)
    found = checking.check(runtime, body.text, body.images, body.media)
    readable = [image for place, image in enumerate(body.images) if place not in {u.position for u in found.unreadable}]
    like = like_content(runtime, body.text, readable, set(found.copies), limit=body.look_alikes, key_id=caller.key_id)
    best = next(iter(found.copies), None)
    return DuplicatesOut(
        verdict=found.verdict,
        group_id=found.groups.get(best) if best else None,
        copies=[
            CopyOut(
                post_id=post_id,
                relation="pair",
                group_id=found.groups.get(post_id),
                score=match.score,
                evidence=EvidenceOut.all_of(match.evidence),
            )
            for post_id, match in found.copies.items()
        ],
        look_alikes=_look_alikes(like),
        could_not_check=[
            UncheckedOut(media=item.position, code=item.code, reason=item.reason) for item in found.unreadable
        ],
    )


@router.get("/v1/duplicates/groups", summary="Groups of copies", dependencies=[Depends(require(*READERS))])
def list_groups(
    request: Request,
    order: Order = "size",
    min_size: Annotated[int, Query(ge=2)] = 2,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    growth_hours: Annotated[float, Query(gt=0, le=8_760)] = 24.0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> GroupList:
    """By size, by growth (posts of the last ``growth_hours``), or by time of the last or first post."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        found = reading.list_groups(
            session,
            order=order,
            min_size=min_size,
            since=since,
            until=until,
            growth=timedelta(hours=growth_hours),
            now=runtime.clock(),
            limit=limit + 1,
            offset=offset,
        )
    shown = [GroupOut.model_validate(group, from_attributes=True) for group in found[:limit]]
    return GroupList(groups=shown, next_offset=offset + limit if len(found) > limit else None)


@router.get(
    "/v1/duplicates/groups/{group_id}",
    summary="One group and how it spread",
    dependencies=[Depends(require(*READERS))],
)
def read_group(
    group_id: UUID,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> GroupDetail:
    """Its origin, size, speed and authors, and its posts over time."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        group = reading.read_group(session, group_id, now=runtime.clock())
        spread = reading.spread_of(session, group_id)
        members = reading.list_members(session, group_id, limit=limit + 1, offset=offset)
    return GroupDetail(
        **GroupOut.model_validate(group, from_attributes=True).model_dump(),
        spread=SpreadOut(
            bucket_seconds=spread.bucket_seconds,
            buckets=[BucketOut(start=start, posts=count) for start, count in spread.buckets],
            per_hour=spread.per_hour,
            peak_per_hour=spread.peak_per_hour,
            half_after_seconds=spread.half_after_seconds,
        ),
        members=[
            MemberOut(
                post_id=member.post_id,
                at=member.at,
                source=member.source,
                author_hash=member.author_hash,
                score=member.score,
                evidence=EvidenceOut.all_of(member.evidence),
            )
            for member in members[:limit]
        ],
        next_offset=offset + limit if len(members) > limit else None,
    )


@router.post("/v1/duplicates/sweep", status_code=202, summary="Look for copies in the whole history")
def start_sweep(
    body: SweepIn, request: Request, caller: Annotated[Caller, Depends(require(Role.MODERATOR, Role.ANALYST))]
) -> RunOut:
    """A run: see `GET /v1/runs/{run_id}` for how far it is and what came of it."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        run = runs.start(
            session,
            SWEEP,
            body.model_dump(),
            actor=caller.name,
            readers=READERS,
            now=runtime.clock(),
            exclusive=SWEEP,
        )
        session.flush()
        session.refresh(run)
        return RunOut.of(run)


def _look_alikes(found: Sequence[LookAlike]) -> list[LookAlikeOut]:
    return [LookAlikeOut(post_id=like.post_id, score=like.score, why=list(like.why)) for like in found]
