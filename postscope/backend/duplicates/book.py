"""The groups as they are decided on: read when they are needed, changed in memory, written at the end at once.

So a batch takes few statements, and posts are all held before anything of a group is locked (``groups.hold``).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import uuid_utils
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend.arrays import among
from postscope.backend.duplicates import groups
from postscope.backend.duplicates.matching import Matched
from postscope.backend.duplicates.places import Place, read_places
from postscope.backend.tables import DuplicateGroup, DuplicateMember, DuplicatePair

ITSELF: Final = Matched(1.0, ())
"""How an anchor matches itself."""


class Book:
    """Of one turn. The session must hold the turn, and must not be written to by others.

    Args:
        session: of the turn.
        places: of all posts that may be written of, as they are in the database; it is kept up here.
    """

    def __init__(self, session: Session, places: dict[UUID, Place]) -> None:
        self._session = session
        self.places = places
        self._before = {post_id: place.group_id for post_id, place in places.items()}
        self._held: set[UUID] = set()
        self._members: dict[UUID, set[UUID]] = {}
        self._founded: dict[UUID, datetime] = {}
        self._anchors: dict[UUID, UUID] = {}
        """Of groups that are new or get another."""
        self._matches: dict[UUID, Matched] = {}
        self._pairs: dict[UUID, Mapping[UUID, Matched]] = {}

    def hold(self, ids: Iterable[UUID]) -> None:
        """Keep posts from being deleted; those that are gone have no place any more."""
        wanted = {post_id for post_id in ids if post_id in self.places} - self._held
        if not wanted:
            return
        there = groups.hold(self._session, wanted)
        self._held |= there
        for post_id in wanted - there:
            del self.places[post_id]

    def members(self, group_id: UUID) -> list[Place]:
        """Of a group as it is now, held, the earliest first."""
        if group_id not in self._members and group_id not in self._founded:
            asked = select(DuplicateMember.post_id).where(DuplicateMember.group_id == group_id)
            ids = set(self._session.scalars(asked))
            for post_id, place in read_places(self._session, ids - self.places.keys()).items():
                self.places.setdefault(post_id, place)
                self._before.setdefault(post_id, place.group_id)
            # what was decided in this turn comes before what is in the database
            self._members[group_id] = {post_id for post_id in ids if self._in(post_id, group_id)}
        self._members.setdefault(group_id, set()).update(p for p in self._matches if self._in(p, group_id))
        self.hold(self._members[group_id])
        found = [self.places[post_id] for post_id in self._members[group_id] if self._in(post_id, group_id)]
        return sorted(found, key=lambda place: place.order)

    def found(self, anchor_id: UUID, others: Mapping[UUID, Matched], *, now: datetime) -> None:
        """A new group; each of ``others`` matches the anchor."""
        group_id = uuid.UUID(str(uuid_utils.uuid7()))
        self._founded[group_id] = now
        self._anchors[group_id] = anchor_id
        self.join(group_id, anchor_id, {anchor_id: ITSELF, **others})

    def join(self, group_id: UUID, anchor_id: UUID, matched: Mapping[UUID, Matched]) -> None:
        """Add members of an anchor's group, or say anew how they match it."""
        for post_id, match in matched.items():
            self._matches[post_id] = match
            self.places[post_id] = replace(self.places[post_id], group_id=group_id, anchor_id=anchor_id)

    def anchor(self, group_id: UUID, anchor_id: UUID) -> None:
        """Give a group another anchor."""
        self._anchors[group_id] = anchor_id
        for post_id, place in self.places.items():
            if place.group_id == group_id:
                self.places[post_id] = replace(place, anchor_id=anchor_id)

    def release(self, ids: Iterable[UUID]) -> None:
        """Take posts out of their group; none of them may be its anchor."""
        for post_id in ids:
            self._matches.pop(post_id, None)
            self.places[post_id] = replace(self.places[post_id], group_id=None, anchor_id=None)

    def pair(self, post_id: UUID, matched: Mapping[UUID, Matched]) -> None:
        """Copies that are not in the post's group, in place of those that were written for it before."""
        self._pairs[post_id] = matched

    def write(self) -> None:
        """Write all of it. The order counts: a trigger removes a group that has one member left."""
        self._write_groups()
        rows = {post_id: self._row(post_id) for post_id in sorted(self._matches)}
        left = [
            post_id
            for post_id, group_id in self._before.items()
            if group_id is not None and post_id in self.places and self.places[post_id].group_id != group_id
        ]
        self._upsert([row for post_id, row in rows.items() if post_id not in left])
        if left:
            self._session.execute(delete(DuplicateMember).where(among(DuplicateMember.post_id, left)))
        self._upsert([row for post_id, row in rows.items() if post_id in left])
        self._write_pairs()

    def _in(self, post_id: UUID, group_id: UUID) -> bool:
        return post_id in self.places and self.places[post_id].group_id == group_id

    def _row(self, post_id: UUID) -> dict[str, Any]:
        match = self._matches[post_id]
        group_id = self.places[post_id].group_id
        return {"post_id": post_id, "group_id": group_id, "score": match.score, "evidence": list(match.evidence)}

    def _write_groups(self) -> None:
        moved = {group_id: anchor for group_id, anchor in self._anchors.items() if group_id not in self._founded}
        if moved:
            self._session.execute(
                text(
                    "UPDATE duplicate_groups SET anchor_id = told.anchor_id "
                    "FROM unnest(CAST(:ids AS uuid[]), CAST(:anchors AS uuid[])) AS told(id, anchor_id) "
                    "WHERE duplicate_groups.id = told.id"
                ),
                {"ids": list(moved), "anchors": list(moved.values())},
            )
        if self._founded:
            rows = [
                {"id": group_id, "anchor_id": self._anchors[group_id], "created_at": at}
                for group_id, at in self._founded.items()
            ]
            self._session.execute(insert(DuplicateGroup), rows)

    def _upsert(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        adding = insert(DuplicateMember)
        told = {name: adding.excluded[name] for name in ("group_id", "score", "evidence")}
        self._session.execute(adding.on_conflict_do_update(index_elements=["post_id"], set_=told), rows)

    def _write_pairs(self) -> None:
        if not self._pairs:
            return
        self._session.execute(delete(DuplicatePair).where(among(DuplicatePair.post_id, self._pairs)))
        rows = [
            {"post_id": post_id, "other_id": other, "score": match.score, "evidence": list(match.evidence)}
            for post_id, matched in sorted(self._pairs.items())
            for other, match in matched.items()
        ]
        if rows:
            self._session.execute(insert(DuplicatePair).on_conflict_do_nothing(), rows)
