"""Exact neighbours by FAISS, and near-copies taken together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.types import Vectors

Indices = npt.NDArray[np.int32]

SAME: Final = 0.985
"""Cosine of centred vectors from which two posts are copies as far as density goes."""
SPARE: Final = 10
"""Neighbours that are asked for beyond those needed, in case that some are copies."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The k nearest of each of n points, nearest first, the point itself among them.

    Attributes:
        indices: (n, k) int32.
        cosines: (n, k) float32.
    """

    indices: Indices
    cosines: npt.NDArray[np.float32]

    def first(self, k: int) -> Neighbours:
        """Only the k nearest of each."""
        return Neighbours(self.indices[:, :k], self.cosines[:, :k])


def nearest(queries: Vectors, points: Vectors, k: int) -> Neighbours:
    """The k points (n, dim) nearest to each query (m, dim) by cosine; fewer than k points give as many columns."""
    import faiss

    k = min(k, len(points))
    if k == 0:
        return Neighbours(np.zeros((len(queries), 0), np.int32), np.zeros((len(queries), 0), np.float32))
    index = faiss.IndexFlatIP(points.shape[1])
    index.add(np.ascontiguousarray(points, np.float32))
    cosines, indices = index.search(np.ascontiguousarray(queries, np.float32), k)
    return Neighbours(indices.astype(np.int32), cosines)


def copies(neighbours: Neighbours, *, same: float = SAME) -> Indices:
    """For each point (n,) the first point that it is a copy of, directly or through others; itself where it is none.

    Union of all pairs with a cosine of ``same`` or more among the neighbours. A group larger than k holds together
    because each of its members has k others among its nearest.
    """
    import scipy.sparse
    from scipy.sparse.csgraph import connected_components

    count, _ = neighbours.indices.shape
    rows, columns = np.nonzero(neighbours.cosines >= same)
    pairs = scipy.sparse.coo_matrix(
        (np.ones(len(rows), np.int8), (rows, neighbours.indices[rows, columns])), (count, count)
    )
    _, group = connected_components(pairs, directed=False)
    first = np.full(group.max(initial=-1) + 1, count, np.int64)
    np.minimum.at(first, group, np.arange(count))
    firsts: Indices = first[group].astype(np.int32)
    return firsts


def distinct(vectors: Vectors, k: int, *, same: float = SAME) -> tuple[Indices, Indices, Neighbours]:
    """Points (n, dim) without their copies.

    Returns:
        Of each of the n points the one that it is a copy of, itself where it is none; the m points that are left;
        and the k nearest of each of these among themselves, by their places among the m.
    """
    found = nearest(vectors, vectors, k + SPARE)
    first = copies(found, same=same)
    left = np.flatnonzero(first == np.arange(len(first))).astype(np.int32)
    place = np.full(len(vectors), -1, np.int32)
    place[left] = np.arange(len(left))
    among = place[found.indices[left]]
    # Copies are few as a rule: what is left of each list is enough, and only where it is not we ask again.
    order = np.argsort(among < 0, axis=1, kind="stable")[:, :k]
    kept = Neighbours(np.take_along_axis(among, order, 1), np.take_along_axis(found.cosines[left], order, 1))
    short = (kept.indices < 0).any(axis=1)
    if short.any() or kept.indices.shape[1] < min(k, len(left)):
        width = min(k, len(left))
        kept = Neighbours(kept.indices[:, :width].copy(), kept.cosines[:, :width].copy())
        again = nearest(vectors[left][short], vectors[left], width)
        kept.indices[short], kept.cosines[short] = again.indices, again.cosines
    return first, left, kept
