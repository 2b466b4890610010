"""Where posts are among the groups of copies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.arrays import among
from postscope.backend.tables import DuplicateGroup, DuplicateMember, Fingerprinted, Post


@dataclass(frozen=True, slots=True)
class Place:
    """Where a post is: its time, and its group if it has one.

    Attributes:
        at: when it was posted.
        anchor_id: of its group; None while another is being chosen.
        content: of which content its fingerprints are; None while it has none.
    """

    post_id: UUID
    at: datetime
    group_id: UUID | None
    anchor_id: UUID | None
    content: bytes | None

    @property
    def order(self) -> tuple[datetime, UUID]:
        """The earliest post of a group is its anchor."""
        return self.at, self.post_id


def read_places(session: Session, ids: Iterable[UUID]) -> dict[UUID, Place]:
    """Of those posts that are there, and of the anchors of their groups."""
    found = _read(session, set(ids))
    anchors = {place.anchor_id for place in found.values() if place.anchor_id is not None}
    return found | _read(session, anchors - found.keys())


def _read(session: Session, ids: set[UUID]) -> dict[UUID, Place]:
    if not ids:
        return {}
    rows = session.execute(
        select(Post.id, Post.created_at, DuplicateMember.group_id, DuplicateGroup.anchor_id, Fingerprinted.content)
        .outerjoin(DuplicateMember, DuplicateMember.post_id == Post.id)
        .outerjoin(DuplicateGroup, DuplicateGroup.id == DuplicateMember.group_id)
        .outerjoin(Fingerprinted, Fingerprinted.post_id == Post.id)
        .where(among(Post.id, ids))
    )
    return {row.id: Place(row.id, row.created_at, row.group_id, row.anchor_id, row.content) for row in rows}
