"""Near-duplicates: of a post, of content that is not stored, and groups of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime

from postscope.backend import runs
from postscope.backend.auth import Caller, Role, require
from postscope.backend.duplicates import checking, reading
from postscope.backend.duplicates.look_alikes import like_content, like_post
from postscope.backend.duplicates.reading import Order
from postscope.backend.routes.duplicate_models import (
    BucketOut,
    CheckIn,
    CopyOut,
    DuplicatesOut,
    EvidenceOut,
    GroupDetail,
    GroupList,
    GroupOut,
    LookAlikeOut,
    MemberOut,
    SpreadOut,
    SweepIn,
    UncheckedOut,
)
from postscope.backend.routes.runs import RunOut
from postscope.backend.routes.state import runtime_of
from postscope.backend.wrong_values import LARGEST

router = APIRouter(tags=["duplicates"])

READERS = (Role.PRODUCT, Role.MODERATOR, Role.ANALYST)
Reader = Annotated[Caller, Depends(require(*READERS))]
SWEEP = "duplicates.sweep"


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
        look_alikes=LookAlikeOut.all_of(like),
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
        look_alikes=LookAlikeOut.all_of(like),
        could_not_check=[
            UncheckedOut(media=item.position, code=item.code, reason=item.reason) for item in found.unreadable
        ],
    )


@router.get("/v1/duplicates/groups", summary="Groups of copies", dependencies=[Depends(require(*READERS))])
def list_groups(
    request: Request,
    order: Order = "size",
    min_size: Annotated[int, Query(ge=2, le=LARGEST)] = 2,
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
