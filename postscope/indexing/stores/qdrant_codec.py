"""Our values in the terms of a Qdrant server, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from qdrant_client import models

from postscope.indexing.stores.base import DENSE, MULTI, SPARSE, DenseQuery, FieldKind, Query, Stored, TermQuery
from postscope.indexing.stores.layout import FULL_SCAN_KB, HNSW_EF, HNSW_EF_CONSTRUCT, HNSW_M
from postscope.indexing.stores.ordering import f32
from postscope.indexing.types import Match, Point

REQUEST_FLOATS = 1_000_000
"""Vector values in one upsert request: about 20 MB of JSON, under the server's limit of 32 MB."""
REQUEST_POINTS = 256
"""Points in one upsert request."""


def vectors_config(dim: int) -> dict[str, models.VectorParams]:
    """The named vectors and multivectors of a collection."""
    max_sim = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
    config = {name: models.VectorParams(size=dim, distance=models.Distance.COSINE) for name in DENSE}
    config |= {
        name: models.VectorParams(size=dim, distance=models.Distance.COSINE, multivector_config=max_sim)
        for name in MULTI
    }
    return config


def sparse_config() -> dict[str, models.SparseVectorParams]:
    """The keyword terms, weighted by IDF."""
    return {name: models.SparseVectorParams(modifier=models.Modifier.IDF) for name in SPARSE}


def hnsw_config() -> models.HnswConfigDiff:
    """The graph, as the embedded mode builds it."""
    return models.HnswConfigDiff(m=HNSW_M, ef_construct=HNSW_EF_CONSTRUCT, full_scan_threshold=FULL_SCAN_KB)


def field_schema(kind: FieldKind) -> models.PayloadSchemaType:
    """The kind of a payload index."""
    return {
        "keyword": models.PayloadSchemaType.KEYWORD,
        "integer": models.PayloadSchemaType.INTEGER,
        "float": models.PayloadSchemaType.FLOAT,
        "bool": models.PayloadSchemaType.BOOL,
    }[kind]


def to_struct(point: Point) -> models.PointStruct:
    """A part without rows or terms is left out: the server has no empty vectors."""
    vectors: dict[str, Any] = {name: vector.tolist() for name, vector in point.dense.items()}
    vectors |= {name: rows.tolist() for name, rows in point.multi.items() if len(rows)}
    vectors |= {
        name: models.SparseVector(indices=list(terms.indices), values=list(terms.values))
        for name, terms in point.sparse.items()
        if terms
    }
    return models.PointStruct(id=str(point.id), vector=vectors, payload=point.payload)


def requests(points: Sequence[Point]) -> Iterator[list[Point]]:
    """The points in parts that fit a request each."""
    part: list[Point] = []
    floats = 0
    for point in points:
        size = sum(v.size for v in point.dense.values()) + sum(v.size for v in point.multi.values())
        if part and (floats + size > REQUEST_FLOATS or len(part) >= REQUEST_POINTS):
            yield part
            part, floats = [], 0
        part.append(point)
        floats += size
    if part:
        yield part


def query_vector(query: Query) -> Any:
    """A vector asked of a multivector is compared with each of its rows."""
    if isinstance(query, DenseQuery):
        return [query.vector.tolist()] if query.using in MULTI else query.vector.tolist()
    if isinstance(query, TermQuery):
        return models.SparseVector(indices=[query.term], values=[1.0])
    return models.SparseVector(indices=list(query.vector.indices), values=list(query.vector.values))


def query_request(
    query: Query,
    *,
    filter: models.Filter | None,
    limit: int,
    threshold: float | None = None,
    exact: bool = False,
    with_payload: bool = False,
) -> models.QueryRequest:
    """One query."""
    term = isinstance(query, TermQuery)
    return models.QueryRequest(
        query=query_vector(query),
        using=query.using,
        filter=None if term else filter,
        limit=1 if term else limit,
        score_threshold=threshold,
        params=models.SearchParams(hnsw_ef=HNSW_EF, exact=exact),
        with_payload=with_payload,
    )


def from_scored(point: models.ScoredPoint) -> Match:
    """One answer of a query."""
    return Match(UUID(str(point.id)), f32(point.score), point.payload or {})


def from_record(record: models.Record) -> Stored:
    """One point read back; where vectors were not asked for there are none."""
    vectors: dict[str, Any] = record.vector if isinstance(record.vector, dict) else {}
    return Stored(
        id=UUID(str(record.id)),
        payload=record.payload or {},
        dense={name: np.asarray(vectors[name], np.float32) for name in DENSE if name in vectors},
        multi={name: np.asarray(vectors[name], np.float32) for name in MULTI if name in vectors},
    )
