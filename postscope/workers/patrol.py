"""Looks whether the points in the store are of the posts' present versions, and has those that are not indexed again.

The store has no fencing: a worker that is taken for dead, wakes up, writes its old vectors over newer ones and dies
before it can say so leaves a point that nobody knows to be old. Each point therefore names the version that it was made
from, and a few posts at a time, round and round, the two are compared. A point that is missing is found the same way,
and so is one with a video that was fused as an earlier release did it.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import Row, exists, select
from sqlalchemy.orm import Session

from postscope.backend import work
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Post, Work
from postscope.backend.work import Stage
from postscope.indexing.pipeline import RECIPE
from postscope.indexing.types import Payload
from postscope.workers.indexing import vectors_unknown

log = structlog.get_logger(__name__)

SLICE = 200
"""Posts looked at in one step: a few milliseconds."""
_START = UUID(int=0)


class Patrol:
    """One round after another, in the order of the ids. For one thread."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._after = _START

    def step(self) -> list[UUID]:
        """Look at the next few posts.

        Returns:
            Those whose points were not what they should be; they are waiting to be indexed.
        """
        runtime = self._runtime
        collection = runtime.live.collection
        runtime.gate.pause_for_queries()
        with runtime.database.session() as session:
            rows = _settled(session, after=self._after)
        self._after = rows[-1].id if len(rows) == SLICE else _START
        stored = runtime.store.retrieve(collection, [row.id for row in rows], with_vectors=False)
        payloads = {point.id: point.payload for point in stored}
        wrong = [row for row in rows if row.id not in payloads or _out_of_date(payloads[row.id], row.version)]
        return self._ask_again(wrong) if wrong else []

    def _ask_again(self, wrong: Sequence[Row[UUID, int]]) -> list[UUID]:
        runtime, seen = self._runtime, {row.id: row.version for row in wrong}
        with runtime.database.session() as session:
            # What has changed since, or is being indexed, was no mistake: the point was ahead of the row.
            ids = [row.id for row in _settled(session, ids=list(seen)) if row.version == seen[row.id]]
            vectors_unknown(session, ids)
            work.add(session, Stage.INDEX, ids, now=runtime.clock(), request_id=None)
            runtime.jobs.after(session, [Stage.INDEX] if ids else [])
        if ids:
            log.warning("points_out_of_date", posts=len(ids), first=str(ids[0]))
        return ids


def _out_of_date(payload: Payload, version: int) -> bool:
    """Whether a point is of another version, or made by an earlier recipe, which matters where there is a video.

    One that was written before points named their version says nothing; it will at its next change.
    """
    if payload.get("version") not in (None, version):
        return True
    media = payload.get("media")
    return isinstance(media, list) and "video" in media and payload.get("recipe") != RECIPE


def _settled(session: Session, *, after: UUID = _START, ids: Sequence[UUID] | None = None) -> Sequence[Row[UUID, int]]:
    """Posts whose present version is said to be in the store, and of which no indexing is asked."""
    asked = exists().where(Work.post_id == Post.id, Work.stage == Stage.INDEX.value)
    query = select(Post.id, Post.version).where(Post.indexed_version == Post.version, ~asked, Post.id > after)
    if ids is not None:
        query = query.where(Post.id.in_(ids))
    return session.execute(query.order_by(Post.id).limit(SLICE)).all()
