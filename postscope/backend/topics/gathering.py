"""The posts of a window, written to a job's folder in constant memory."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.tables import DuplicateMember, MediaText, Post, TopicLayout, spoken_language
from postscope.backend.topics.requests import DiscoverRequest
from postscope.indexing.clustering.layout import Layout
from postscope.indexing.stores.base import Stored
from postscope.indexing.topics.job import Job, JobSpec, JobWriter, PostLine

BATCH = 512
DAY = 86_400
_RANDOM = (1 << 62) - 1
LONGEST = 4_000
"""Characters of a post's words that are looked at."""


def gather(
    runtime: Runtime, model: SpaceModel, request: DiscoverRequest, folder: Path, *, tell: Callable[[int, int], None]
) -> Job:
    """Write the posts that the request asks for, as they are now.

    A post that has nothing to embed, or is deleted meanwhile, is left out.

    Args:
        runtime: database and store.
        model: of the live space.
        request: which posts.
        folder: new; where they go.
        tell: called with the posts that were read, and of how many.
    """
    condition = request.condition()
    total = runtime.store.count(model.collection, filter=condition)
    writer, seen = JobWriter(folder), 0
    for batch in runtime.store.scroll(model.collection, filter=condition, batch=BATCH, with_vectors=True):
        points = [point for point in batch if "post" in point.dense]
        seen += len(batch)
        if points:
            with runtime.database.session() as session:
                _add(session, writer, points)
        tell(seen, max(total, seen))
    writer.close(
        JobSpec(
            count=writer.count,
            dim=model.encoder.space.dim,
            seed=request.seed,
            min_size=request.size_for(writer.count),
            sample=runtime.settings.topics.sample,
        )
    )
    return Job(folder)


def texts_of(session: Session, posts: Sequence[UUID]) -> dict[UUID, PostLine]:
    """What each post that is still there says: its text, its tags, and the words in its media."""
    heard: dict[UUID, list[str]] = defaultdict(list)
    rows = session.execute(
        select(MediaText.post_id, MediaText.text)
        .where(MediaText.post_id.in_(posts))
        .order_by(MediaText.post_id, MediaText.media_id, MediaText.kind, MediaText.number)
    )
    for post_id, text in rows:
        heard[post_id].append(text)
    found = session.execute(
        select(
            Post.id,
            Post.text,
            Post.tags,
            spoken_language().label("language"),
            Post.created_at,
            Post.author_hash,
            DuplicateMember.group_id,
        )
        .outerjoin(DuplicateMember, DuplicateMember.post_id == Post.id)
        .where(Post.id.in_(posts))
    )
    return {
        row.id: PostLine(
            "\n".join([row.text, *heard[row.id], *(f"#{tag}" for tag in row.tags)])[:LONGEST],
            row.language,
            int(row.created_at.timestamp()),
            _stratum(int(row.created_at.timestamp()), row.language),
            # Its random half: that two groups of one window share it is next to impossible, and would harm little.
            row.group_id.int & _RANDOM if row.group_id else -1,
            int(row.author_hash[:15], 16) if row.author_hash else -1,
        )
        for row in found
    }


def _stratum(created: int, language: str | None) -> int:
    """A day and a language."""
    return created // DAY * 1_000 + zlib.crc32((language or "").encode()) % 1_000


def _add(session: Session, writer: JobWriter, points: Sequence[Stored]) -> None:
    ids = [point.id for point in points]
    lines = texts_of(session, ids)
    kept = [point for point in points if point.id in lines]
    if kept:
        vectors = np.stack([point.dense["post"] for point in kept])
        writer.add([point.id for point in kept], vectors, [lines[point.id] for point in kept], _places(session, kept))


def _places(session: Session, points: Sequence[Stored]) -> Layout:
    ids = [point.id for point in points]
    rows = session.execute(
        select(TopicLayout.post_id, TopicLayout.x, TopicLayout.y).where(TopicLayout.post_id.in_(ids))
    )
    placed = {row.post_id: (row.x, row.y) for row in rows}
    return np.array([placed.get(post_id, (np.nan, np.nan)) for post_id in ids], np.float32)
