"""``QdrantStore``: a Qdrant server or cluster through its client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from uuid import UUID

from qdrant_client import QdrantClient, models

from postscope.indexing.stores.base import (
    DENSE,
    MULTI,
    CollectionMissing,
    Query,
    Stored,
    WrongDimension,
)
from postscope.indexing.stores.filters_qdrant import to_qdrant
from postscope.indexing.stores.layout import check_payloads, check_points, check_query, slices, unique
from postscope.indexing.stores.ordering import Fetch, best_of_each, engine_threshold, ordered_facets
from postscope.indexing.stores.qdrant_codec import (
    from_record,
    from_scored,
    query_request,
    requests,
    to_struct,
)
from postscope.indexing.stores.qdrant_collections import QdrantCollections
from postscope.indexing.types import Filter, Match, Payload, Point

PAGE = 256
"""Ids or payload changes in one request."""


class QdrantStore(QdrantCollections):
    """The ``VectorStore`` of the distributed mode.

    Every write waits until it is applied, on a cluster by ``write_consistency`` replicas: the promise that
    the next query sees it holds on every replica when ``write_consistency`` equals ``replicas``.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        shards: int = 1,
        replicas: int = 1,
        write_consistency: int = 1,
        timeout: float = 30.0,
    ) -> None:
        """Remember where the server is; nothing is sent yet, so a server that is down shows in ``ready``.

        Args:
            url: such as ``http://qdrant:6333``.
            api_key: sent with every request.
            shards: of new collections.
            replicas: of new collections, each shard on so many nodes.
            write_consistency: replicas that must have applied a write.
            timeout: seconds for one request.
        """
        client = QdrantClient(url, api_key=api_key, timeout=ceil(timeout), check_compatibility=False)
        super().__init__(client, shards=shards, replicas=replicas, write_consistency=write_consistency)

    @classmethod
    def local(cls, path: str = ":memory:") -> QdrantStore:
        """The client's own imitation of a server, in this process: for tests, one thread and few points."""
        store = cls.__new__(cls)
        client = QdrantClient(":memory:") if path == ":memory:" else QdrantClient(path=path)
        QdrantCollections.__init__(store, client, shards=1, replicas=1, write_consistency=1)
        return store

    # --- writing -------------------------------------------------------------------------------------

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        """See ``VectorStore``."""
        with self.call(collection):
            for part in requests(self._checked(collection, points)):
                self.client.upsert(collection, [to_struct(point) for point in part], wait=True)

    def _checked(self, collection: str, points: Sequence[Point]) -> list[Point]:
        """Checked against the dimension we remember; if refused, the present one: an alias may have moved."""
        if collection in self.dims:
            try:
                return check_points(points, self.dims[collection], collection)
            except WrongDimension:
                pass
        return check_points(points, self.fetch_dim(collection), collection)

    def set_payload(self, collection: str, payloads: Mapping[UUID, Payload]) -> None:
        """See ``VectorStore``."""
        check_payloads(payloads)
        changed = [(id, payload) for id, payload in payloads.items() if payload]
        with self.call(collection):
            self.ensure_exists(collection)
            for part in slices(changed, PAGE):
                operations = [_set_payload(id, payload) for id, payload in part]
                self.client.batch_update_points(collection, operations, wait=True)

    def delete(self, collection: str, ids: Sequence[UUID]) -> None:
        """See ``VectorStore``."""
        with self.call(collection):
            self.ensure_exists(collection)
            for part in slices(unique(ids), PAGE):
                self.client.delete(collection, [str(id) for id in part], wait=True)

    # --- reading -------------------------------------------------------------------------------------

    def query(
        self,
        collection: str,
        query: Query,
        *,
        filter: Filter | None = None,
        limit: int = 10,
        min_score: float | None = None,
        exact: bool = False,
        with_payload: bool = False,
    ) -> list[Match]:
        """See ``VectorStore``. Ties at the limit are settled among ``ordering.TIES`` points."""
        self._check_queries(collection, [query])
        fetch = self._fetch(
            collection,
            filter=to_qdrant(filter),
            threshold=engine_threshold(min_score),
            exact=exact,
            with_payload=with_payload,
        )
        return best_of_each(fetch, [query], limit, min_score)[0]

    def query_many(
        self,
        collection: str,
        queries: Sequence[Query],
        *,
        filter: Filter | None = None,
        limit: int = 10,
        exact: bool = False,
    ) -> list[list[Match]]:
        """See ``VectorStore``. A further round trip for each query with a tie at the limit."""
        self._check_queries(collection, queries)
        return best_of_each(self._fetch(collection, filter=to_qdrant(filter), exact=exact), queries, limit)

    def _check_queries(self, collection: str, queries: Sequence[Query]) -> None:
        """Checked like ``_checked``; also where nothing will be asked, so that a missing collection shows."""
        with self.call(collection):
            self.ensure_exists(collection)
            try:
                _check_all(queries, self.dims[collection], collection)
            except WrongDimension:
                _check_all(queries, self.fetch_dim(collection), collection)

    def _fetch(
        self,
        collection: str,
        *,
        filter: models.Filter | None,
        threshold: float | None = None,
        exact: bool = False,
        with_payload: bool = False,
    ) -> Fetch:
        def fetch(queries: Sequence[Query], limit: int) -> list[list[Match]]:
            batch = [
                query_request(
                    query,
                    filter=filter,
                    limit=limit,
                    threshold=threshold,
                    exact=exact,
                    with_payload=with_payload,
                )
                for query in queries
            ]
            with self.call(collection):
                answers = self.client.query_batch_points(collection, batch)
            return [[from_scored(point) for point in answer.points] for answer in answers]

        return fetch

    def retrieve(self, collection: str, ids: Sequence[UUID], *, with_vectors: bool = True) -> list[Stored]:
        """See ``VectorStore``."""
        found: dict[UUID, Stored] = {}
        with self.call(collection):
            self.ensure_exists(collection)
            for part in slices(unique(ids), PAGE):
                records = self.client.retrieve(
                    collection, [str(id) for id in part], with_vectors=_vectors(with_vectors)
                )
                found |= {stored.id: stored for stored in map(from_record, records)}
        return [found[id] for id in ids if id in found]

    def scroll(
        self, collection: str, *, filter: Filter | None = None, batch: int = 256, with_vectors: bool = False
    ) -> Iterator[list[Stored]]:
        """See ``VectorStore``. Of points written meanwhile some may be met; all others are met once."""
        name = self.resolve(collection)
        if name is None:
            raise CollectionMissing(f"no collection or alias {collection!r}")
        return self._pages(name, to_qdrant(filter), batch, with_vectors)

    def _pages(self, name: str, filter: models.Filter | None, batch: int, with_vectors: bool) -> Iterator[list[Stored]]:
        offset: models.ExtendedPointId | None = None
        while True:
            with self.call(name):
                records, offset = self.client.scroll(
                    name, filter, limit=batch, offset=offset, with_vectors=_vectors(with_vectors)
                )
            if records:
                yield [from_record(record) for record in records]
            if offset is None:
                return

    def count(self, collection: str, *, filter: Filter | None = None) -> int:
        """See ``VectorStore``."""
        with self.call(collection):
            return self.client.count(collection, count_filter=to_qdrant(filter), exact=True).count

    def facet(
        self, collection: str, field: str, *, filter: Filter | None = None, limit: int = 10
    ) -> list[tuple[str, int]]:
        """See ``VectorStore``. Raises ``ValueError`` for a field without a keyword index."""
        with self.call(collection):
            self.ensure_exists(collection)
            if limit <= 0:
                return []
            hits = self.client.facet(collection, field, facet_filter=to_qdrant(filter), limit=limit, exact=True).hits
        return ordered_facets((str(hit.value), hit.count) for hit in hits)


def _check_all(queries: Sequence[Query], dim: int, collection: str) -> None:
    for query in queries:
        check_query(query, dim, collection)


def _vectors(wanted: bool) -> list[str] | bool:
    """Never the keyword terms: nobody reads them back."""
    return [*DENSE, *MULTI] if wanted else False


def _set_payload(id: UUID, payload: Payload) -> models.SetPayloadOperation:
    """By filter, because by id a missing point is an error."""
    only = models.Filter(must=[models.HasIdCondition(has_id=[str(id)])])
    return models.SetPayloadOperation(set_payload=models.SetPayload(payload=payload, filter=only))
