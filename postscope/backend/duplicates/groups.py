"""Who is in which group. Everything here happens in a session that holds the turn of ``take_turn``."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import uuid_utils
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend.duplicates.matching import Matched
from postscope.backend.tables import DuplicateGroup, DuplicateMember, DuplicatePair, Post

_TURN = 0x64757073  # the bytes of "dups"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a post is: its time, and its group if it has one."""

    post_id: UUID
    at: datetime
    group_id: UUID | None
    anchor_id: UUID | None

    @property
    def order(self) -> tuple[datetime, UUID]:
        """The earliest post of a group is its anchor."""
        return self.at, self.post_id


def take_turn(session: Session) -> None:
    """Of several workers one at a time decides on groups: from here to its commit."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _TURN})


def hold(session: Session, ids: Sequence[UUID]) -> set[UUID]:
    """Keep these posts from being deleted until the commit; those that are there.

    Whoever deletes a post locks it first and its group then; so must we, or each would wait for the other.
    """
    rows = select(Post.id).where(Post.id.in_(ids)).order_by(Post.id).with_for_update(read=True, key_share=True)
    return set(session.scalars(rows))


def places(session: Session, ids: Sequence[UUID]) -> dict[UUID, Place]:
    """Of those posts that are there."""
    rows = session.execute(
        select(Post.id, Post.created_at, DuplicateMember.group_id, DuplicateGroup.anchor_id)
        .outerjoin(DuplicateMember, DuplicateMember.post_id == Post.id)
        .outerjoin(DuplicateGroup, DuplicateGroup.id == DuplicateMember.group_id)
        .where(Post.id.in_(ids))
    )
    return {row.id: Place(row.id, row.created_at, row.group_id, row.anchor_id) for row in rows}


def members(session: Session, group_id: UUID) -> list[Place]:
    """Of a group, the earliest first."""
    ids = session.scalars(select(DuplicateMember.post_id).where(DuplicateMember.group_id == group_id)).all()
    return sorted(places(session, ids).values(), key=lambda place: place.order)


def orphans(session: Session) -> list[UUID]:
    """Groups whose anchor is gone."""
    return list(session.scalars(select(DuplicateGroup.id).where(DuplicateGroup.anchor_id.is_(None))))


def found(session: Session, anchor_id: UUID, others: Mapping[UUID, Matched], *, now: datetime) -> UUID:
    """A new group; each of ``others`` matches the anchor."""
    group_id = uuid.UUID(str(uuid_utils.uuid7()))
    session.execute(insert(DuplicateGroup).values(id=group_id, anchor_id=anchor_id, created_at=now))
    join(session, group_id, {anchor_id: Matched(1.0, ()), **others})
    return group_id


def join(session: Session, group_id: UUID, matched: Mapping[UUID, Matched]) -> None:
    """Add members, or say anew how they match."""
    if not matched:
        return
    rows = [
        {"post_id": post_id, "group_id": group_id, "score": match.score, "evidence": list(match.evidence)}
        for post_id, match in sorted(matched.items())
    ]
    adding = insert(DuplicateMember).values(rows)
    session.execute(
        adding.on_conflict_do_update(
            index_elements=["post_id"],
            set_={name: adding.excluded[name] for name in ("group_id", "score", "evidence")},
        )
    )


def anchor(session: Session, group_id: UUID, anchor_id: UUID | None) -> None:
    """Give a group another anchor; None until one has been chosen."""
    session.execute(update(DuplicateGroup).where(DuplicateGroup.id == group_id).values(anchor_id=anchor_id))


def release(session: Session, ids: Sequence[UUID]) -> None:
    """Take posts out of their groups. One that was an anchor leaves its group without."""
    if not ids:
        return
    session.execute(update(DuplicateGroup).where(DuplicateGroup.anchor_id.in_(ids)).values(anchor_id=None))
    session.execute(delete(DuplicateMember).where(DuplicateMember.post_id.in_(ids)))


def write_pairs(session: Session, post_id: UUID, matched: Mapping[UUID, Matched]) -> None:
    """Copies that are not in the post's group, in place of those that were written for it before."""
    session.execute(delete(DuplicatePair).where(DuplicatePair.post_id == post_id))
    rows = [
        {"post_id": post_id, "other_id": other, "score": match.score, "evidence": list(match.evidence)}
        for other, match in matched.items()
    ]
    if rows:
        session.execute(insert(DuplicatePair).values(rows).on_conflict_do_nothing())


def totals(session: Session) -> dict[str, int]:
    """How many groups there are, and posts in them."""
    row = session.execute(select(func.count(DuplicateGroup.id), func.coalesce(func.sum(DuplicateGroup.size), 0))).one()
    return {"groups": int(row[0]), "posts_in_groups": int(row[1])}


def forget_pairs(session: Session, post_id: UUID) -> None:
    """The post's content has changed: nothing that was said of it holds."""
    session.execute(
        delete(DuplicatePair).where((DuplicatePair.post_id == post_id) | (DuplicatePair.other_id == post_id))
    )
