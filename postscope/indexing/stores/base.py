"""The ``VectorStore`` swap point. Its contract suite is ``tests/contracts/test_stores*.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from postscope.indexing.types import Filter, Match, Payload, Point, SparseVector, Vector, Vectors

DENSE = ("post", "text")
"""Named vectors, one a point."""
MULTI = ("media",)
"""Named multivectors, compared by MaxSim."""
SPARSE = ("keywords",)
"""Named sparse vectors, weighted by IDF at query time."""

FieldKind = Literal["keyword", "integer", "float", "bool"]


class StoreError(Exception):
    """Root of what a store raises.

    StoreError
    ├── CollectionMissing     no collection or alias of this name
    ├── WrongDimension        a vector does not have the collection's dimension
    ├── StoreBusy             another process owns the embedded store
    └── StoreUnavailable      the store does not answer; try again later
    """


class CollectionMissing(StoreError):
    """No collection or alias of this name."""


class WrongDimension(StoreError):
    """A vector does not have the collection's dimension."""


class StoreBusy(StoreError):
    """Another process owns the embedded store."""


class StoreUnavailable(StoreError):
    """The store does not answer; the work can be tried again later."""


@dataclass(frozen=True, slots=True)
class DenseQuery:
    """Nearest by cosine in a named vector or multivector (``using``)."""

    vector: Vector
    using: str


@dataclass(frozen=True, slots=True)
class SparseQuery:
    """Sum over shared terms of query weight, stored weight and the term's inverse document frequency.

    The frequency is among points that have keywords; deleted and replaced ones may count until the
    engine next builds its index.
    """

    vector: SparseVector
    using: str = "keywords"


@dataclass(frozen=True, slots=True)
class TermQuery:
    """One of the points that have most of a term, whatever the filter and the limit: any of those that tie.

    Its score is the point's stored weight of the term times the term's inverse document frequency, which is what it
    is asked for.
    """

    term: int
    using: str = "keywords"


Query = DenseQuery | SparseQuery | TermQuery


@dataclass(frozen=True, slots=True)
class Stored:
    """What ``retrieve`` and ``scroll`` give back."""

    id: UUID
    payload: Payload
    dense: Mapping[str, Vector]
    multi: Mapping[str, Vectors]


class VectorStore(Protocol):
    """Collections of points, on disk or on a server.

    Cosine, higher is better, ``score >= min_score``, compared in float32; results ordered by score (falling)
    then id (rising), ties at the limit included (among the 10,000 best); ``limit`` is always honoured and 0
    gives nothing. Deleting a missing id is silent. A collection name may be an alias wherever a name is
    read, but ``create`` and ``drop`` take a collection's own name. An upsert is on disk and visible to the
    next query when the call returns, and replaces the whole point; of two points with one id in a batch the
    later wins. Callers put only whole numbers into an integer field and only booleans into a bool field. A
    nested payload value is named by its path (``layout.field_path``). All methods are safe to call from
    several threads.

    Beside the errors below, every method raises ``CollectionMissing`` where there is no such collection,
    ``StoreUnavailable`` where the store does not answer or is closed, and ``ValueError``, naming the
    argument, for what could never be right: a name, a vector's name or shape, a value that is not finite, a payload
    that is nested too deep (``layout.MAX_PAYLOAD_DEPTH``).
    """

    def create(self, collection: str, dim: int, fields: Mapping[str, FieldKind]) -> None:
        """Create with the vectors named above and payload indexes on ``fields``; already there with the same
        dimension: indexes that it has not got yet are added; with another: ``WrongDimension``."""
        ...

    def drop(self, collection: str) -> None:
        """Remove it and its aliases; a missing one, or an alias, is silent."""
        ...

    def collections(self) -> list[str]:
        """Names, sorted; no aliases."""
        ...

    def set_alias(self, alias: str, collection: str) -> None:
        """Point ``alias`` at ``collection``, at once for every reader, whatever it pointed at before."""
        ...

    def resolve(self, alias: str) -> str | None:
        """The collection an alias points at (a collection's own name gives itself); None if there is none."""
        ...

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        """Add or replace points. Every point is checked before the first is written; ``WrongDimension``."""
        ...

    def set_payload(self, collection: str, payloads: Mapping[UUID, Payload]) -> None:
        """Overwrite the named keys of the payload of points that exist; missing ids are silent."""
        ...

    def delete(self, collection: str, ids: Sequence[UUID]) -> None:
        """Remove points; missing ids are silent."""
        ...

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
        """The nearest points that have the vector asked for. ``exact`` forbids the approximate index."""
        ...

    def query_many(
        self,
        collection: str,
        queries: Sequence[Query],
        *,
        filter: Filter | None = None,
        limit: int = 10,
        exact: bool = False,
    ) -> list[list[Match]]:
        """Several queries under one filter in one round trip, in the order given."""
        ...

    def retrieve(self, collection: str, ids: Sequence[UUID], *, with_vectors: bool = True) -> list[Stored]:
        """The points that exist, in the order asked (as often as asked). Vectors come back of unit length."""
        ...

    def scroll(
        self, collection: str, *, filter: Filter | None = None, batch: int = 256, with_vectors: bool = False
    ) -> Iterator[list[Stored]]:
        """Every matching point once, ordered by id, in batches."""
        ...

    def count(self, collection: str, *, filter: Filter | None = None) -> int:
        """Exact."""
        ...

    def facet(
        self, collection: str, field: str, *, filter: Filter | None = None, limit: int = 10
    ) -> list[tuple[str, int]]:
        """Values of a keyword field of ``create`` and how many points have each: by count falling, then value
        rising."""
        ...

    def ready(self) -> None:
        """Raise ``StoreUnavailable`` (with the reason) unless the store can answer now."""
        ...

    def close(self) -> None:
        """Let go of files and connections; again is harmless; other calls then raise ``StoreUnavailable``."""
        ...
