"""What must hold before a collection may serve: nothing is missing, and what is there is found."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func, select

from postscope.backend.database import Database
from postscope.backend.tables import Post
from postscope.indexing.stores.base import DenseQuery, VectorStore
from postscope.indexing.types import Match

MIN_FOUND = 0.99
"""Share of sampled posts that their own vector must find."""
MIN_RECALL = 0.98
"""Recall@10 of approximate search against exact search that the sample must reach."""

_USING = "post"
_DEPTH = 10
_BATCH = 1_000
_TIE = 1e-5
"""Scores closer than this are one: copies of a post may come in any order."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found.

    Attributes:
        posts: indexed posts in the database.
        missing: indexed posts without a point; ``examples`` names some of them.
        strays: points without a post (deleted meanwhile); searches leave them out, so they do not fail the audit.
        sampled: posts whose vectors were tried.
        without_vector: of these, posts that have a vector in the live collection but none in this one.
        found: share of the sample that an exact search with its own vector finds.
        recall: mean recall@10 of approximate search against exact search over the sample.
    """

    posts: int
    missing: int
    examples: tuple[str, ...]
    strays: int
    sampled: int
    without_vector: int
    found: float
    recall: float

    @property
    def passed(self) -> bool:
        """Whether the collection may serve."""
        whole = self.missing == 0 and self.without_vector == 0
        return whole and self.found >= MIN_FOUND and self.recall >= MIN_RECALL

    def as_json(self) -> dict[str, Any]:
        """For the row of the space."""
        return asdict(self) | {"examples": list(self.examples), "passed": self.passed}


def audit_collection(
    database: Database, store: VectorStore, collection: str, *, live: str | None, sample: int
) -> AuditReport:
    """Compare a collection with the database, and try its vectors on a random sample of posts."""
    posts, missing = _missing(database, store, collection)
    chosen = _sample(database, sample)
    vectors = _vectors(store, collection, chosen)
    expected = _vectors(store, live, chosen) if live else vectors
    found, recall = _try(store, collection, vectors)
    return AuditReport(
        posts=posts,
        missing=len(missing),
        examples=tuple(str(post_id) for post_id in missing[:5]),
        strays=_strays(database, store, collection),
        sampled=len(vectors),
        without_vector=len(expected.keys() - vectors.keys() - set(missing)),
        found=found,
        recall=recall,
    )


def _missing(database: Database, store: VectorStore, collection: str) -> tuple[int, list[uuid.UUID]]:
    # A post that was never indexed waits, or has failed, in every space alike: no fault of this one.
    posts = 0
    missing: list[uuid.UUID] = []
    for ids in _indexed(database):
        posts += len(ids)
        there = {stored.id for stored in store.retrieve(collection, ids, with_vectors=False)}
        # Read again: what was deleted meanwhile is not missing.
        missing += sorted(_alive(database, [post_id for post_id in ids if post_id not in there]))
    return posts, missing


def _indexed(database: Database) -> Iterator[list[uuid.UUID]]:
    query = select(Post.id).where(Post.indexed_at.is_not(None)).order_by(Post.id).limit(_BATCH)
    after: uuid.UUID | None = None
    while True:
        with database.session() as session:
            ids = list(session.scalars(query if after is None else query.where(Post.id > after)))
        if not ids:
            return
        yield ids
        after = ids[-1]


def _strays(database: Database, store: VectorStore, collection: str) -> int:
    # The points are read before the posts: a post is always there before its point.
    strays = 0
    for batch in store.scroll(collection, batch=_BATCH):
        ids = [stored.id for stored in batch]
        strays += len(set(ids) - _alive(database, ids))
    return strays


def _alive(database: Database, ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    if not ids:
        return set()
    with database.session() as session:
        return set(session.scalars(select(Post.id).where(Post.id.in_(ids))))


def _sample(database: Database, size: int) -> list[uuid.UUID]:
    query = select(Post.id).where(Post.indexed_at.is_not(None)).order_by(func.random()).limit(size)
    with database.session() as session:
        return list(session.scalars(query))


def _vectors(store: VectorStore, collection: str, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, DenseQuery]:
    return {
        stored.id: DenseQuery(stored.dense[_USING], _USING)
        for stored in store.retrieve(collection, ids)
        if _USING in stored.dense
    }


def _try(store: VectorStore, collection: str, vectors: dict[uuid.UUID, DenseQuery]) -> tuple[float, float]:
    if not vectors:
        return 1.0, 1.0
    queries = list(vectors.values())
    exact = store.query_many(collection, queries, limit=_DEPTH, exact=True)
    near = store.query_many(collection, queries, limit=_DEPTH)
    found = sum(_finds_itself(post_id, hits) for post_id, hits in zip(vectors, exact, strict=True))
    recall = sum(_recall(wanted, got) for wanted, got in zip(exact, near, strict=True))
    return found / len(vectors), recall / len(vectors)


def _finds_itself(post_id: uuid.UUID, hits: Sequence[Match]) -> bool:
    # Among more than ten exact copies of a post it may itself not be one of the ten.
    return any(hit.id == post_id for hit in hits) or bool(hits and hits[-1].score >= 1 - _TIE)


def _recall(wanted: Sequence[Match], got: Sequence[Match]) -> float:
    if not wanted:
        return 1.0
    good = sum(hit.score >= wanted[-1].score - _TIE for hit in got)
    return min(1.0, good / len(wanted))
