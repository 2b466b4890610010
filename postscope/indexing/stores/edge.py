"""``EdgeStore``: Qdrant's own engine in this process, in a folder that one process owns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import RLock
from uuid import UUID

import qdrant_edge as edge

from postscope.indexing.stores.base import (
    CollectionMissing,
    FieldKind,
    Query,
    Stored,
    StoreUnavailable,
    WrongDimension,
)
from postscope.indexing.stores.edge_codec import to_edge_point
from postscope.indexing.stores.edge_collection import EdgeCollection
from postscope.indexing.stores.edge_files import FolderLock, live_collections, read_json, write_json
from postscope.indexing.stores.edge_read import READ_SLICE, fetcher, pages, retrieve
from postscope.indexing.stores.filters_edge import to_edge
from postscope.indexing.stores.layout import check_name, check_payloads, check_points, check_query, slices, unique
from postscope.indexing.stores.ordering import best_of_each, engine_threshold, ordered_facets
from postscope.indexing.types import Filter, Match, Payload, Point

WRITE_SLICE = 32
"""Points written in one turn: about 1 ms at 384 dimensions. Larger slices are no faster."""


class EdgeStore:
    """The ``VectorStore`` of the embedded mode.

    Every call of the engine holds Python's interpreter until it is done, so work is cut into slices of a
    few milliseconds, and whoever waits is served in order: a query never waits for more than one slice of an
    upsert. Points are in the write-ahead log, synced to disk, when a write returns. Queries scan, exactly,
    until ``edge_build.build_index`` has made a graph; what is written after that is scanned until the next
    build.
    """

    def __init__(self, path: Path) -> None:
        """Open the store in ``path``, which is made if need be, and remove what a crash has left in it.

        Raises:
            StoreBusy: another process, or another ``EdgeStore``, has it open.
            StoreUnavailable: what is on disk cannot be read.
        """
        path.mkdir(parents=True, exist_ok=True)
        self._folder = path / "collections"
        self._folder.mkdir(exist_ok=True)
        self._alias_file = path / "aliases.json"
        self._owner = FolderLock(path)
        self._registry = RLock()
        self._closed = False
        self._collections: dict[str, EdgeCollection] = {}
        try:
            self._open_all()
        except BaseException:
            self.close()
            raise

    def _open_all(self) -> None:
        for folder, manifest in live_collections(self._folder):
            self._collections[folder.name] = EdgeCollection.load(folder, manifest)
        stored: dict[str, str] = read_json(self._alias_file, {})
        self._aliases = {alias: name for alias, name in stored.items() if name in self._collections}

    # --- collections and aliases ----------------------------------------------------------------------

    def create(self, collection: str, dim: int, fields: Mapping[str, FieldKind]) -> None:
        """See ``VectorStore``. Raises ``ValueError`` for a name that is an alias or cannot be a name."""
        check_name(collection)
        with self._registry:
            self.ready()
            if collection in self._aliases:
                raise ValueError(f"{collection!r} is an alias, not a collection")
            existing = self._collections.get(collection)
            if existing is None:
                folder = self._folder / collection
                self._collections[collection] = EdgeCollection.create(folder, dim, dict(fields))
            elif existing.manifest.dim != dim:
                raise WrongDimension(f"collection {collection!r} has {existing.manifest.dim} dimensions, not {dim}")
            else:
                existing.add_fields(fields)

    def drop(self, collection: str) -> None:
        """See ``VectorStore``."""
        with self._registry:
            self.ready()
            if collection not in self._collections:
                return
            self._save_aliases({a: name for a, name in self._aliases.items() if name != collection})
            self._collections.pop(collection).remove()

    def collections(self) -> list[str]:
        """See ``VectorStore``."""
        self.ready()
        return sorted(self._collections)

    def set_alias(self, alias: str, collection: str) -> None:
        """See ``VectorStore``. Raises ``ValueError`` for an alias that is a collection's name."""
        check_name(alias)
        with self._registry:
            if alias in self._collections:
                raise ValueError(f"{alias!r} is a collection, it cannot be an alias")
            self._save_aliases(self._aliases | {alias: self.collection(collection).name})

    def _save_aliases(self, aliases: dict[str, str]) -> None:
        write_json(self._alias_file, aliases)
        self._aliases = aliases  # a new dictionary: readers see the old one or the new one

    def resolve(self, alias: str) -> str | None:
        """See ``VectorStore``."""
        self.ready()
        name = self._aliases.get(alias, alias)
        return name if name in self._collections else None

    def collection(self, name: str) -> EdgeCollection:
        """The collection of this name or alias, for the index build.

        Raises:
            CollectionMissing: there is none.
        """
        self.ready()
        found = self._collections.get(self._aliases.get(name, name))
        if found is None:
            raise CollectionMissing(f"no collection or alias {name!r}")
        return found

    # --- writing --------------------------------------------------------------------------------------

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        """See ``VectorStore``."""
        target = self.collection(collection)
        checked = check_points(points, target.manifest.dim, collection)
        for part in slices(checked, WRITE_SLICE):
            operation = edge.UpdateOperation.upsert_points([to_edge_point(point) for point in part])
            target.write([point.id for point in part], [operation])
        if checked:
            target.sync()

    def set_payload(self, collection: str, payloads: Mapping[UUID, Payload]) -> None:
        """See ``VectorStore``."""
        target = self.collection(collection)
        check_payloads(payloads)
        for ids in slices([id for id, payload in payloads.items() if payload], WRITE_SLICE):
            # By filter, because by id the engine refuses the whole operation if one point is missing.
            target.write(ids, [_set_payload(id, payloads[id]) for id in ids])
        if payloads:
            target.sync()

    def delete(self, collection: str, ids: Sequence[UUID]) -> None:
        """See ``VectorStore``."""
        target = self.collection(collection)
        for part in slices(unique(ids), READ_SLICE):
            target.write(part, [edge.UpdateOperation.delete_points(list(part))])
        if ids:
            target.sync()

    # --- reading --------------------------------------------------------------------------------------

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
        source = self.collection(collection)
        check_query(query, source.manifest.dim, collection)
        fetch = fetcher(
            source,
            filter=to_edge(filter),
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
        """See ``VectorStore``."""
        source = self.collection(collection)
        for query in queries:
            check_query(query, source.manifest.dim, collection)
        return best_of_each(fetcher(source, filter=to_edge(filter), exact=exact), queries, limit)

    def retrieve(self, collection: str, ids: Sequence[UUID], *, with_vectors: bool = True) -> list[Stored]:
        """See ``VectorStore``."""
        source = self.collection(collection)
        found = retrieve(source, unique(ids), with_vectors)
        return [found[id] for id in ids if id in found]

    def scroll(
        self, collection: str, *, filter: Filter | None = None, batch: int = 256, with_vectors: bool = False
    ) -> Iterator[list[Stored]]:
        """See ``VectorStore``. Of points written meanwhile some may be met; all others are met once."""
        return pages(self.collection(collection), to_edge(filter), batch, with_vectors)

    def count(self, collection: str, *, filter: Filter | None = None) -> int:
        """See ``VectorStore``."""
        request = edge.CountRequest(exact=True, filter=to_edge(filter))
        found: int = self.collection(collection).read(lambda shard: shard.count(request))
        return found

    def facet(
        self, collection: str, field: str, *, filter: Filter | None = None, limit: int = 10
    ) -> list[tuple[str, int]]:
        """See ``VectorStore``. Raises ``ValueError`` for a field without a keyword index."""
        source = self.collection(collection)
        if source.manifest.fields.get(field) != "keyword":
            raise ValueError(f"field {field!r} of {collection!r} has no keyword index")
        if limit <= 0:
            return []
        request = edge.FacetRequest(field, limit=limit, exact=True, filter=to_edge(filter))
        hits = source.read(lambda shard: shard.facet(request).hits)
        return ordered_facets((str(hit.value), hit.count) for hit in hits)

    # --- life -----------------------------------------------------------------------------------------

    def ready(self) -> None:
        """See ``VectorStore``."""
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def close(self) -> None:
        """Flush every collection and give up the folder; again is harmless."""
        with self._registry:
            if self._closed:
                return
            self._closed = True
            try:
                for collection in self._collections.values():
                    collection.close()
            finally:
                self._owner.release()


def _set_payload(id: UUID, payload: Payload) -> edge.UpdateOperation:
    return edge.UpdateOperation.set_payload_by_filter(edge.Filter(must=[edge.HasIdCondition({id})]), payload)
