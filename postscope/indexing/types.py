"""The values that travel between encoders, stores and the pipeline. All frozen, none knows of HTTP or SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

import numpy as np
import numpy.typing as npt

Vectors: TypeAlias = npt.NDArray[np.float32]
"""Shape (n, dim), float32, every row of unit length."""

Vector: TypeAlias = npt.NDArray[np.float32]
"""Shape (dim,), float32, unit length."""

PayloadValue: TypeAlias = str | int | float | bool | list["PayloadValue"] | dict[str, "PayloadValue"] | None
Payload: TypeAlias = dict[str, PayloadValue]


@dataclass(frozen=True, slots=True)
class Space:
    """The fingerprint of an encoder: vectors of two different spaces never meet.

    Attributes:
        name: what a person calls it, such as ``bundled``.
        weights: SHA-256 over the hashes of every weights file that shapes a vector.
        preprocessing: version of everything done before and after the weights; a change makes a new space.
        dim: number of dimensions.
    """

    name: str
    weights: str
    preprocessing: str
    dim: int

    @property
    def id(self) -> str:
        """Short stable identifier, usable in a collection name: ``<name>-<12 hex digits>``."""
        import hashlib

        text = f"{self.name}\n{self.weights}\n{self.preprocessing}\n{self.dim}"
        slug = "".join(c if c.isalnum() else "-" for c in self.name.lower()).strip("-")
        return f"{slug[:40]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True, eq=False)
class Centres:
    """Where each kind of vector of a space gathers: subtract it, then bring the rest back to unit length.

    In a shared space texts, queries and images sit in cones of their own (the modality gap); cosines of
    centred vectors are what can be compared.

    Attributes:
        text: shape (dim,), to subtract from document vectors. Not of unit length.
        query: the same for query vectors.
        image: the same for image vectors.
    """

    text: npt.NDArray[np.float32]
    query: npt.NDArray[np.float32]
    image: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SparseVector:
    """A bag of keyword terms: unsigned 32-bit term ids, strictly increasing, and their weights (> 0)."""

    indices: tuple[int, ...]
    values: tuple[float, ...]

    def __bool__(self) -> bool:
        return bool(self.indices)


@dataclass(frozen=True, slots=True)
class Point:
    """What a store keeps of one post. A part that the post does not have is simply absent.

    Attributes:
        id: the post's id.
        dense: named vectors of shape (dim,): ``post`` (all modalities fused) and ``text``.
        multi: named multivectors of shape (n, dim): ``media``, one row an image, in media order.
        sparse: named sparse vectors: ``keywords``.
        payload: what filters and facets work on.
    """

    id: UUID
    dense: Mapping[str, Vector] = field(default_factory=dict)
    multi: Mapping[str, Vectors] = field(default_factory=dict)
    sparse: Mapping[str, SparseVector] = field(default_factory=dict)
    payload: Payload = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """One answer of a store: higher is better."""

    id: UUID
    score: float
    payload: Payload = field(default_factory=dict)


# --- filters -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The field (a scalar, or any element of a list) equals one of the values. Empty ``values`` matches nothing."""

    field: str
    values: tuple[str | int | bool, ...]


@dataclass(frozen=True, slots=True)
class InRange:
    """``gte <= field <= lte`` (and strict ``gt``, ``lt``) on a number; times are Unix seconds. No bound: exists."""

    field: str
    gte: float | None = None
    lte: float | None = None
    gt: float | None = None
    lt: float | None = None


@dataclass(frozen=True, slots=True)
class HasId:
    """The point's id is one of these."""

    ids: tuple[UUID, ...]


Condition: TypeAlias = "AnyOf | InRange | HasId | Filter"


@dataclass(frozen=True, slots=True)
class Filter:
    """All of ``must`` hold, at least one of ``should`` (when there are any), none of ``must_not``.

    A field that a point does not have satisfies no condition, so ``must_not`` keeps such a point.
    """

    must: tuple[Condition, ...] = ()
    should: tuple[Condition, ...] = ()
    must_not: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.must or self.should or self.must_not)
