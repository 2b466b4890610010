"""Finds the copies of posts and their place in a group. May be run again for the same posts at any time.

One worker at a time decides (``groups.take_turn``). Fingerprints are committed before anybody searches: so of two
copies that come in at the same moment at least the one searched for later sees the other.

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
from postscope.backend.duplicates.asking import asked_post
from postscope.backend.duplicates.book import ITSELF, Book
from postscope.backend.duplicates.comparing import Search, compare_all, find, places_of, searches
from postscope.backend.duplicates.matching import Matched
from postscope.backend.duplicates.places import Place
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Media, Post
from postscope.backend.work import Stage

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

    They are compared before the turn is taken. What others have decided meanwhile is read in the turn, and only what
    that makes necessary is compared there.

    Args:
        runtime: of this process.
        posts: whose fingerprints are kept already.
        media: of each that has some, in order.
        write: False changes nothing and only tells what is found.
    """
    ordered = sorted(posts, key=lambda post: (post.created_at, post.id))
    found = searches(runtime, [asked_post(runtime, post, media.get(post.id, ())) for post in ordered])
    with runtime.database.session() as session:
        places = places_of(session, found)
        if write:  # who has a place stays there
            found = [search for search in found if _waits(places, search)]
        copies = find(runtime, session, found, places)
    if not write:
        return [_found(search, matched) for search, matched in zip(found, copies, strict=True)]
    with runtime.database.session() as session:
        groups.take_turn(session)
        told = _decide(runtime, session, found)
    return [Found(post.id, told.get(post.id, ())) for post in ordered]


def mend(runtime: Runtime, session: Session) -> int:
    """Choose anchors for groups whose anchor is gone; needs the turn.

    Returns:
        How many groups there were.
    """
    waiting = groups.orphans(session)
    book = Book(session, {})
    for group_id in waiting:
        there = book.members(group_id)
        if there:
            _reanchor(runtime, session, book, group_id, _search(runtime, session, there[0].post_id), there[1:])
    book.write()
    return len(waiting)


def _waits(places: Mapping[UUID, Place], search: Search) -> bool:
    """Whether a post is there, in no group, and still what it was when it was read: an edited one is looked at anew."""
    own = places.get(_id(search))
    return own is not None and own.group_id is None and own.content == search.asked.content


def _id(search: Search) -> UUID:
    assert search.asked.post_id is not None  # here are posts alone; content that is not kept is only compared
    return search.asked.post_id


def _found(search: Search, matched: Mapping[UUID, Matched]) -> Found:
    return Found(_id(search), tuple(matched))


def _search(runtime: Runtime, session: Session, post_id: UUID) -> Search:
    """Of a post that others are to be compared with."""
    media = session.scalars(select(Media).where(Media.post_id == post_id).order_by(Media.position)).all()
    return Search(asked_post(runtime, session.get_one(Post, post_id), media))


def _decide(runtime: Runtime, session: Session, found: Sequence[Search]) -> dict[UUID, tuple[UUID, ...]]:
    """Put posts into their groups, the earliest first; needs the turn.

    Returns:
        The copies of each.
    """
    book = Book(session, places_of(session, found))
    copies = find(runtime, session, found, book.places)
    book.hold([*(_id(s) for s, own in zip(found, copies, strict=True) if own), *(i for own in copies for i in own)])
    told: dict[UUID, tuple[UUID, ...]] = {}
    for search in found:
        if not _waits(book.places, search):  # it is gone or edited, or an earlier one of the batch has taken it in
            continue
        [matched] = find(runtime, session, [search], book.places)
        book.hold([_id(search), *matched] if matched else [])
        matched = {post_id: match for post_id, match in matched.items() if post_id in book.places}
        if _waits(book.places, search):
            stays = _place(runtime, session, book, search, matched)
            pairs = [(post_id, match) for post_id, match in matched.items() if post_id not in stays]
            book.pair(_id(search), dict(pairs[:MOST_PAIRS]))
            told[_id(search)] = tuple(matched)
    book.write()
    return told


def _place(
    runtime: Runtime, session: Session, book: Book, search: Search, matched: Mapping[UUID, Matched]
) -> set[UUID]:
    """Put a post into its group.

    Returns:
        Which of the matched are with it there.
    """
    own, where = book.places[_id(search)], sorted((book.places[i] for i in matched), key=lambda place: place.order)
    first = next((place for place in where if place.anchor_id == place.post_id), None)
    if first is not None and first.group_id is not None:
        if own.order < first.order:
            inside = book.members(first.group_id)
            return _reanchor(runtime, session, book, first.group_id, search, inside)
        book.join(first.group_id, first.post_id, {own.post_id: matched[first.post_id]})
        return {first.post_id}
    free = [place for place in where if place.group_id is None]
    if not free:
        return set()
    if own.order < free[0].order:
        told = {place.post_id: matched[place.post_id].turned() for place in free}
        book.found(own.post_id, told, now=runtime.clock())
        return set(told)
    book.found(free[0].post_id, {own.post_id: matched[free[0].post_id]}, now=runtime.clock())
    return {free[0].post_id}


def _reanchor(
    runtime: Runtime, session: Session, book: Book, group_id: UUID, search: Search, others: Sequence[Place]
) -> set[UUID]:
    """Give a group another anchor. Members that do not match it are let go, and looked at again by themselves.

    Returns:
        Those that stay.
    """
    ids = [place.post_id for place in others]
    compare_all(runtime, session, [(search, ids)], book.places)
    stay = {post_id: match.turned() for post_id, match in search.matched(ids).items()}
    book.anchor(group_id, _id(search))
    book.join(group_id, _id(search), {_id(search): ITSELF, **stay})
    lost = [post_id for post_id in ids if post_id not in stay]
    book.release(lost)
    work.add(session, Stage.ENRICH, lost, now=runtime.clock(), request_id=None)
    runtime.jobs.after(session, [Stage.ENRICH] * bool(lost))
    return set(stay)
