"""Spaces as a person wants to see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from postscope.backend.database import Database
from postscope.backend.tables import Post, SpaceRow
from postscope.indexing.stores.base import VectorStore


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """One space. ``points`` is None where its collection is gone; it and ``aliased`` also where nobody could look."""

    id: str
    encoder: str
    state: str
    dim: int
    collection: str
    layout: int
    aliased: bool | None
    points: int | None
    posts: int
    backfilled: int
    backfill_finished_at: datetime | None
    created_at: datetime
    switched_at: datetime | None
    audit: dict[str, Any] | None


def space_statuses(database: Database, store: VectorStore | None, alias: str) -> list[SpaceStatus]:
    """Every space that was ever used, the oldest first.

    Args:
        database: where the spaces are kept.
        store: None where another process owns it: its part is not told then.
        alias: what points at the collection that is searched.
    """
    with database.session() as session:
        rows = list(session.scalars(select(SpaceRow).order_by(SpaceRow.created_at, SpaceRow.id)))
        posts = session.scalar(select(func.count()).select_from(Post)) or 0
    there = set(store.collections()) if store else set()
    aliased = store.resolve(alias) if store else None
    return [
        SpaceStatus(
            id=row.id,
            encoder=row.encoder["name"],
            state=row.state,
            dim=row.dim,
            collection=row.collection,
            layout=row.layout,
            aliased=row.collection == aliased if store else None,
            points=store.count(row.collection) if store and row.collection in there else None,
            posts=posts,
            backfilled=row.backfill_done,
            backfill_finished_at=row.backfill_finished_at,
            created_at=row.created_at,
            switched_at=row.switched_at,
            audit=row.audit,
        )
        for row in rows
    ]
