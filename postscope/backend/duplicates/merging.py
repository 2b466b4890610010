"""Groups that should be one: the anchor of the later is a copy of the anchor of the earlier.

Two such groups come about where what either is near to was hidden when it was founded. A sweep lets the members of the
later go, and each is looked at again: it joins the earlier one where it matches its anchor, as every member must.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend import work
from postscope.backend.arrays import among
from postscope.backend.duplicates import groups
from postscope.backend.duplicates.asking import asked_post
from postscope.backend.duplicates.comparing import find, places_of, searches
from postscope.backend.runtime import Runtime
from postscope.backend.tables import DuplicateGroup, DuplicateMember, Media, Post
from postscope.backend.work import Stage


def merge(runtime: Runtime, posts: Sequence[Post], media: Mapping[UUID, Sequence[Media]]) -> int:
    """Let go the groups of those of these posts that are anchors and copies of an earlier anchor.

    Args:
        runtime: of this process.
        posts: whose fingerprints are kept already.
        media: of each that has some, in order.

    Returns:
        How many posts are looked at again.
    """
    with runtime.database.session() as session:
        anchors = set(_anchors(session, [post.id for post in posts]))
    found = searches(
        runtime, [asked_post(runtime, post, media.get(post.id, ())) for post in posts if post.id in anchors]
    )
    if not found:
        return 0
    with runtime.database.session() as session:
        places = places_of(session, found)
        copies = find(runtime, session, found, places)
    later = [
        post_id
        for search, matched in zip(found, copies, strict=True)
        if (post_id := search.asked.post_id) in places
        and any(places[i].anchor_id == i and places[i].order < places[post_id].order for i in matched if i in places)
    ]
    if not later:
        return 0
    with runtime.database.session() as session:
        groups.take_turn(session)
        members = _members(session, later)
        groups.hold(session, members)
        groups.leave(session, members)
        work.add(session, Stage.ENRICH, members, now=runtime.clock(), request_id=None)
        runtime.jobs.after(session, [Stage.ENRICH])
    return len(members)


def _anchors(session: Session, ids: Sequence[UUID]) -> Sequence[UUID]:
    rows = session.scalars(select(DuplicateGroup.anchor_id).where(among(DuplicateGroup.anchor_id, ids)))
    return [post_id for post_id in rows if post_id is not None]


def _members(session: Session, anchors: Sequence[UUID]) -> list[UUID]:
    return list(
        session.scalars(
            select(DuplicateMember.post_id)
            .join(DuplicateGroup, DuplicateGroup.id == DuplicateMember.group_id)
            .where(among(DuplicateGroup.anchor_id, anchors))
            .order_by(DuplicateMember.post_id)
        )
    )
