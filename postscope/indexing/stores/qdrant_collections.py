"""The collections and aliases of a Qdrant server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from postscope.indexing.stores.base import CollectionMissing, FieldKind, StoreUnavailable, WrongDimension
from postscope.indexing.stores.layout import check_name
from postscope.indexing.stores.qdrant_codec import field_schema, hnsw_config, sparse_config, vectors_config
from postscope.indexing.stores.qdrant_errors import translated


class QdrantCollections:
    """What ``QdrantStore`` does with whole collections, and its connection."""

    def __init__(self, client: QdrantClient, *, shards: int, replicas: int, write_consistency: int) -> None:
        self.client = client
        self._shards = shards
        self._replicas = replicas
        self._write_consistency = write_consistency
        self.dims: dict[str, int] = {}
        self._closed = False

    # --- collections and aliases ---------------------------------------------------------------------

    def create(self, collection: str, dim: int, fields: Mapping[str, FieldKind]) -> None:
        """See ``VectorStore``. Raises ``ValueError`` for a name that is an alias or cannot be a name."""
        check_name(collection)
        with self.call(collection):
            if collection in self._aliases():
                raise ValueError(f"{collection!r} is an alias, not a collection")
            if not self.client.collection_exists(collection):
                self._create(collection, dim)
            existing = self.fetch_dim(collection)
            if existing != dim:
                raise WrongDimension(f"collection {collection!r} has {existing} dimensions, not {dim}")
            for field, kind in fields.items():
                self.client.create_payload_index(collection, field, field_schema(kind), wait=True)

    def _create(self, collection: str, dim: int) -> None:
        try:
            self.client.create_collection(
                collection,
                vectors_config=vectors_config(dim),
                sparse_vectors_config=sparse_config(),
                hnsw_config=hnsw_config(),
                shard_number=self._shards,
                replication_factor=self._replicas,
                write_consistency_factor=self._write_consistency,
            )
        except UnexpectedResponse as error:
            if error.status_code != 409:  # another process was first: its collection is as good as ours
                raise

    def drop(self, collection: str) -> None:
        """See ``VectorStore``."""
        with self.call(collection):
            if collection not in self.collections():
                return
            stale = [alias for alias, name in self._aliases().items() if name == collection]
            if stale:
                self.client.update_collection_aliases([_delete_alias(alias) for alias in stale])
            self.client.delete_collection(collection)
        self.dims.clear()

    def collections(self) -> list[str]:
        """See ``VectorStore``."""
        with self.call():
            return sorted(found.name for found in self.client.get_collections().collections)

    def set_alias(self, alias: str, collection: str) -> None:
        """See ``VectorStore``. Raises ``ValueError`` for an alias that is a collection's name."""
        check_name(alias)
        with self.call(collection):
            aliases, names = self._aliases(), self.collections()
            if alias in names:
                raise ValueError(f"{alias!r} is a collection, it cannot be an alias")
            target = aliases.get(collection, collection)
            if target not in names:
                raise CollectionMissing(f"no collection or alias {collection!r}")
            switch: list[models.AliasOperations] = [_delete_alias(alias)] if alias in aliases else []
            create = models.CreateAlias(collection_name=target, alias_name=alias)
            switch.append(models.CreateAliasOperation(create_alias=create))
            self.client.update_collection_aliases(switch)

    def resolve(self, alias: str) -> str | None:
        """See ``VectorStore``."""
        with self.call(alias):
            name = self._aliases().get(alias, alias)
            return name if name in self.collections() else None

    def _aliases(self) -> dict[str, str]:
        return {found.alias_name: found.collection_name for found in self.client.get_aliases().aliases}

    def fetch_dim(self, collection: str) -> int:
        """The dimension of a collection as it is now, and remember it."""
        vectors = self.client.get_collection(collection).config.params.vectors
        if not isinstance(vectors, dict):
            raise WrongDimension(f"collection {collection!r} was not made by Postscope: no named vectors")
        self.dims[collection] = next(iter(vectors.values())).size
        return self.dims[collection]

    def ensure_exists(self, collection: str) -> None:
        """A server answers a write without content, or to nothing, before it looks at the name."""
        if collection not in self.dims:
            self.fetch_dim(collection)

    def ready(self) -> None:
        """See ``VectorStore``."""
        self.collections()

    def close(self) -> None:
        """Drop the connections; again is harmless."""
        if not self._closed:
            self._closed = True
            self.client.close()

    @contextmanager
    def call(self, collection: str = "") -> Iterator[None]:
        """Around every use of the client: not after ``close``, and its errors become ours."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        with translated(collection):
            yield


def _delete_alias(alias: str) -> models.DeleteAliasOperation:
    return models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
