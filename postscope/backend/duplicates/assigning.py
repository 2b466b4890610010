"""Finds the copies of posts and their place in a group. May be run again for the same posts at any time.

One worker at a time decides (``groups.take_turn``), and fingerprints are committed before: so of two copies that come
in at the same moment the second to be looked at sees the first.

    no match                                    stays alone
    matches anchors                             joins the group of the earliest
      and is earlier than that anchor           becomes its anchor; members that do not match it are let go, and looked
                                                at again
    matches only posts without a group          a new group; the earliest of them all is the anchor
    matches members, but not their anchors      stays alone; the pairs are written down
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend import work
from postscope.backend.duplicates import groups
from postscope.backend.duplicates.asking import Asked, asked_post
from postscope.backend.duplicates.candidates import candidates
from postscope.backend.duplicates.groups import Place
from postscope.backend.duplicates.matching import Matched, compare, load_kept
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Media, Post
from postscope.backend.work import Stage

MOST_COMPARED: Final = 48
"""Posts that one is compared with, nearest first, anchors in place of their members."""
MOST_PAIRS: Final = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one post.

    Attributes:
        copies: posts that it is a copy of.
    """

    post_id: UUID
    copies: tuple[UUID, ...]


def assign(
    runtime: Runtime, posts: Sequence[Post], media: Mapping[UUID, Sequence[Media]], *, write: bool = True
) -> list[Found]:
    """Find the copies of these posts, and their groups.

    Args:
        runtime: of this process.
        posts: whose fingerprints are kept already.
        media: of each that has some, in order.
        write: False changes nothing and only tells what is found.
    """
    asked = {post.id: asked_post(runtime, post, media.get(post.id, ())) for post in posts}
    found = []
    for post in sorted(posts, key=lambda post: (post.created_at, post.id)):
        # A transaction each: the turn is held as shortly as can be, and what is locked is locked in one order.
        with runtime.database.session() as session:
            if write:
                groups.take_turn(session)
            found.append(_assign_one(runtime, session, asked[post.id], write=write))
    return found


def mend(runtime: Runtime, session: Session) -> int:
    """Choose anchors for groups whose anchor is gone; needs the turn.

    Returns:
        How many groups there were.
    """
    waiting = groups.orphans(session)
    for group_id in waiting:
        there = groups.hold(session, [place.post_id for place in groups.members(session, group_id)])
        found = [place for place in groups.members(session, group_id) if place.post_id in there]
        if found:
            _reanchor(runtime, session, group_id, found[0].post_id, found[1:])
    return len(waiting)


def leave(session: Session, ids: Sequence[UUID]) -> None:
    """The content of these posts has changed: nothing that was found of them holds. Needs the turn."""
    groups.release(session, ids)
    for post_id in ids:
        groups.forget_pairs(session, post_id)


def matches_of(runtime: Runtime, session: Session, asked: Asked, *, members: bool = False) -> dict[UUID, Matched]:
    """Posts that are copies of what is asked about, the nearest first.

    Args:
        runtime: of this process.
        session: to read with.
        asked: the content.
        members: compare the nearest members of a group too where its anchor matches already.
    """
    near = candidates(runtime, asked)
    where = groups.places(session, near)
    there = [where[post_id] for post_id in near if post_id in where]
    anchors = list(dict.fromkeys(place.anchor_id for place in there if place.anchor_id))
    lone = [place.post_id for place in there if place.anchor_id is None]
    first = [post_id for post_id in [*anchors, *lone] if post_id != asked.post_id][:MOST_COMPARED]
    found = _compare_all(runtime, session, asked, first)
    # Of groups whose anchor does not match, the members themselves: a copy of a copy may be far from the first.
    known = () if members else found
    rest = [place.post_id for place in there if place.anchor_id not in (None, place.post_id, *known)]
    return found | _compare_all(runtime, session, asked, rest[: MOST_COMPARED // 2])


def _compare_all(runtime: Runtime, session: Session, asked: Asked, ids: Sequence[UUID]) -> dict[UUID, Matched]:
    kept = load_kept(runtime, session, ids) if ids else {}
    radius = runtime.settings.duplicates.pdq_radius
    compared = {post_id: compare(asked, kept[post_id], pdq_radius=radius) for post_id in ids if post_id in kept}
    return {post_id: match for post_id, match in compared.items() if match is not None}


def _assign_one(runtime: Runtime, session: Session, asked: Asked, *, write: bool) -> Found:
    assert asked.post_id is not None
    own = groups.places(session, [asked.post_id]).get(asked.post_id)
    if own is None:  # deleted meanwhile
        return Found(asked.post_id, ())
    if write and own.group_id is not None:
        return Found(own.post_id, ())
    matched = matches_of(runtime, session, asked)
    if write:
        there = groups.hold(session, [own.post_id, *matched])
        if own.post_id not in there:
            return Found(own.post_id, ())
        matched = {post_id: match for post_id, match in matched.items() if post_id in there}
        where = groups.places(session, list(matched))
        stays = _place(runtime, session, own, matched, where)
        pairs = {post_id: match for post_id, match in matched.items() if post_id not in stays}
        groups.write_pairs(session, own.post_id, dict(list(pairs.items())[:MOST_PAIRS]))
    return Found(own.post_id, tuple(matched))


def _place(
    runtime: Runtime, session: Session, own: Place, matched: Mapping[UUID, Matched], where: Mapping[UUID, Place]
) -> set[UUID]:
    """Put a post into its group.

    Returns:
        Which of the matched are with it there.
    """
    anchors = sorted((place for place in where.values() if place.anchor_id == place.post_id), key=lambda p: p.order)
    if anchors:
        first = anchors[0]
        assert first.group_id is not None
        if own.order < first.order:
            inside = [place for place in groups.members(session, first.group_id) if place.post_id != own.post_id]
            groups.hold(session, [place.post_id for place in inside])
            groups.join(session, first.group_id, {own.post_id: Matched(1.0, ())})
            return _reanchor(runtime, session, first.group_id, own.post_id, inside)
        groups.join(session, first.group_id, {own.post_id: matched[first.post_id]})
        return {first.post_id}
    free = sorted((place for place in where.values() if place.group_id is None), key=lambda p: p.order)
    if not free:
        return set()
    if own.order < free[0].order:
        told = {place.post_id: matched[place.post_id].turned() for place in free}
        groups.found(session, own.post_id, told, now=runtime.clock())
        return {place.post_id for place in free}
    first = free[0]
    groups.found(session, first.post_id, {own.post_id: matched[first.post_id]}, now=runtime.clock())
    return {first.post_id}


def _reanchor(
    runtime: Runtime, session: Session, group_id: UUID, anchor_id: UUID, others: Sequence[Place]
) -> set[UUID]:
    """Give a group another anchor. Members that do not match it are let go, and looked at again by themselves.

    Returns:
        Those that stay.
    """
    groups.anchor(session, group_id, anchor_id)
    post = session.get_one(Post, anchor_id)
    media = session.scalars(select(Media).where(Media.post_id == anchor_id).order_by(Media.position)).all()
    found = _compare_all(runtime, session, asked_post(runtime, post, media), [place.post_id for place in others])
    told = {post_id: match.turned() for post_id, match in found.items()}
    groups.join(session, group_id, {anchor_id: Matched(1.0, ()), **told})
    lost = [place.post_id for place in others if place.post_id not in found]
    groups.release(session, lost)
    work.add(session, Stage.ENRICH, lost, now=runtime.clock(), request_id=None)
    runtime.jobs.after(session, [Stage.ENRICH] * bool(lost))
    return set(found)
