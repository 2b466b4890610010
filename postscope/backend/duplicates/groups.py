"""Who may decide on groups, and what is read and taken back at once. ``book`` writes what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from postscope.backend.arrays import among
from postscope.backend.tables import DuplicateGroup, DuplicateMember, DuplicatePair, Post

_TURN = 0x64757073  # the bytes of "dups"


def take_turn(session: Session) -> None:
    """Of several workers one at a time decides on groups: from here to its commit."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _TURN})


def hold(session: Session, ids: Iterable[UUID]) -> set[UUID]:
    """Keep these posts from being deleted until the commit; those that are there.

    Whoever deletes a post locks it first and its group then; so must we, or each would wait for the other: nothing of
    a group is written before all posts are held.
    """
    rows = select(Post.id).where(among(Post.id, set(ids))).order_by(Post.id).with_for_update(read=True, key_share=True)
    return set(session.scalars(rows))


def orphans(session: Session) -> list[UUID]:
    """Groups whose anchor is gone."""
    return list(session.scalars(select(DuplicateGroup.id).where(DuplicateGroup.anchor_id.is_(None))))


def leave(session: Session, ids: Sequence[UUID]) -> None:
    """The content of these posts has changed: nothing that was found of them holds. Needs the turn.

    One that was an anchor leaves its group without.
    """
    session.execute(update(DuplicateGroup).where(DuplicateGroup.anchor_id.in_(ids)).values(anchor_id=None))
    session.execute(delete(DuplicateMember).where(DuplicateMember.post_id.in_(ids)))
    session.execute(delete(DuplicatePair).where(DuplicatePair.post_id.in_(ids) | DuplicatePair.other_id.in_(ids)))


def totals(session: Session) -> dict[str, int]:
    """How many groups there are, and posts in them."""
    row = session.execute(select(func.count(DuplicateGroup.id), func.coalesce(func.sum(DuplicateGroup.size), 0))).one()
    return {"groups": int(row[0]), "posts_in_groups": int(row[1])}
