"""Our values in the embedded engine's terms, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import numpy as np
import qdrant_edge as edge

from postscope.indexing.stores.base import DENSE, MULTI, SPARSE, DenseQuery, FieldKind, Query, Stored, TermQuery
from postscope.indexing.stores.layout import (
    FULL_SCAN_KB,
    HNSW_EF,
    HNSW_EF_CONSTRUCT,
    HNSW_M,
)
from postscope.indexing.types import Match, Point

_INDEX_FROM_KB = 1
# An index is built only when it is asked for, and then whatever the size.


def shard_config(dim: int, *, threads: int = 1) -> edge.EdgeConfig:
    """Named vectors, keyword terms with IDF, and the graph ``optimize`` builds with ``threads`` threads."""
    multi = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
    vectors = {name: edge.EdgeVectorParams(dim, edge.Distance.Cosine) for name in DENSE}
    vectors |= {name: edge.EdgeVectorParams(dim, edge.Distance.Cosine, multivector_config=multi) for name in MULTI}
    return edge.EdgeConfig(
        vectors=vectors,
        sparse_vectors={name: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf) for name in SPARSE},
        hnsw_config=edge.HnswIndexConfig(HNSW_M, HNSW_EF_CONSTRUCT, FULL_SCAN_KB, max_indexing_threads=threads),
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=_INDEX_FROM_KB, default_segment_number=1),
    )


def field_index(name: str, kind: FieldKind) -> edge.UpdateOperation:
    """The operation that indexes a payload field."""
    kinds = {
        "keyword": edge.PayloadSchemaType.Keyword,
        "integer": edge.PayloadSchemaType.Integer,
        "float": edge.PayloadSchemaType.Float,
        "bool": edge.PayloadSchemaType.Bool,
    }
    return edge.UpdateOperation.create_field_index(name, kinds[kind])


def to_edge_point(point: Point) -> edge.Point:
    """A part without rows or terms is left out: the engine has no empty vectors."""
    vectors: dict[str, Any] = {name: vector.tolist() for name, vector in point.dense.items()}
    vectors |= {name: rows.tolist() for name, rows in point.multi.items() if len(rows)}
    vectors |= {
        name: edge.SparseVector(list(terms.indices), list(terms.values))
        for name, terms in point.sparse.items()
        if terms
    }
    return edge.Point(point.id, vectors, point.payload)


def query_request(
    query: Query,
    *,
    filter: edge.Filter | None,
    limit: int,
    threshold: float | None = None,
    exact: bool = False,
    with_payload: bool = False,
) -> edge.QueryRequest:
    """One query; a vector asked of a multivector is compared with each of its rows."""
    term = isinstance(query, TermQuery)
    return edge.QueryRequest(
        limit=1 if term else limit,
        query=edge.Query.Nearest(_query_vector(query), using=query.using),
        filter=None if term else filter,
        score_threshold=threshold,
        with_payload=with_payload,
        params=edge.SearchParams(hnsw_ef=HNSW_EF, exact=exact),
    )


def _query_vector(query: Query) -> Any:
    if isinstance(query, DenseQuery):
        return [query.vector.tolist()] if query.using in MULTI else query.vector.tolist()
    if isinstance(query, TermQuery):
        return edge.SparseVector([query.term], [1.0])
    return edge.SparseVector(list(query.vector.indices), list(query.vector.values))


def from_scored(point: edge.ScoredPoint) -> Match:
    """One answer of a query. Its score comes as the float32 it was: to round it again would take half the time."""
    return Match(_id(point.id), point.score, point.payload or {})


def from_record(record: edge.Record) -> Stored:
    """One point read back; where vectors were not asked for there are none."""
    vectors: Mapping[str, Any] = record.vector if isinstance(record.vector, dict) else {}
    return Stored(
        id=_id(record.id),
        payload=record.payload or {},
        dense={name: np.asarray(vectors[name], np.float32) for name in DENSE if name in vectors},
        multi={name: np.asarray(vectors[name], np.float32) for name in MULTI if name in vectors},
    )


def _id(value: object) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))
