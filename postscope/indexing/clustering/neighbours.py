"""Neighbours by FAISS, and near-copies taken together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.types import Vectors

Indices = npt.NDArray[np.int32]

NEIGHBOURS: Final = 30
"""Neighbours of a point by which a set is clustered."""
SAME: Final = 0.985
"""Cosine of centred vectors from which two posts are copies as far as density goes."""
SPARE: Final = 10
"""Neighbours that are asked for beyond those needed, in case that some are copies."""
EXACT: Final = 8_192
"""Up to this many points neighbours are exact: there is nothing to win by less."""
FOUR: Final = 4
"""Dimensions that one code of four bits stands for."""
REFINED: Final = 3
"""Times as many candidates by codes as neighbours that are wanted; the best of them by their vectors are taken."""
TRAINED_ON: Final = 4_096


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

    def others(self) -> Neighbours:
        """Without the first of each, which is the point itself."""
        return Neighbours(self.indices[:, 1:], self.cosines[:, 1:])


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """Points (n, dim) without their copies.

    Attributes:
        first: (n,) the point that each is a copy of, itself where it is none.
        alone: (m,) the points that are left, rising.
        near: the nearest of each of these among themselves, by their places among the m.
    """

    first: Indices
    alone: Indices
    near: Neighbours

    @property
    def back(self) -> npt.NDArray[np.int64]:
        """(n,) the place of each point, or of what it is a copy of, among the m."""
        return np.searchsorted(self.alone, self.first)


class NeighbourIndex:
    """Points (n, dim) to be asked for those nearest to others, by cosine.

    Up to ``EXACT`` points, or where ``dim`` is no multiple of four, neighbours are exact. Beyond, they are looked up by
    codes of four bits that are compared in registers (André, Kermarrec and Le Scouarnec, "Quicker ADC", 2019), and the
    best of those by their vectors: on 20,000 titles that finds 99% of the exact ones in half the time, on 50,000 in a
    quarter. Equal points and queries give equal answers.
    """

    def __init__(self, points: Vectors) -> None:
        self._points = np.ascontiguousarray(points, np.float32)
        self._coded: tuple[Any, Any] | None = None
        if len(points) > EXACT and points.shape[1] % FOUR == 0:
            self._coded = _coded(self._points)

    def nearest(self, queries: Vectors, k: int) -> Neighbours:
        """The k points nearest to each query (m, dim), nearest first; fewer than k points give as many columns."""
        import faiss

        k = min(k, len(self._points))
        asked = np.ascontiguousarray(queries, np.float32)
        if k == 0 or not len(asked):
            return Neighbours(np.zeros((len(queries), k), np.int32), np.zeros((len(queries), k), np.float32))
        if self._coded is not None:
            cosines, indices = self._coded[1].search(asked, k)
        else:
            index = faiss.IndexFlatIP(self._points.shape[1])
            index.add(self._points)
            cosines, indices = index.search(asked, k)
        return Neighbours(indices.astype(np.int32), cosines)


def _coded(points: Vectors) -> tuple[Any, Any]:
    """The index of codes and the one that refines its answers, which does not keep the first alive by itself."""
    import faiss

    dim = points.shape[1]
    codes = faiss.IndexPQFastScan(dim, dim // FOUR, 4, faiss.METRIC_INNER_PRODUCT)
    codes.pq.cp.niter = 8
    codes.pq.cp.seed = 1
    refined = faiss.IndexRefineFlat(codes)
    refined.k_factor = REFINED
    refined.train(np.ascontiguousarray(points[:: max(1, len(points) // TRAINED_ON)]))
    refined.add(points)
    return codes, refined


def nearest(queries: Vectors, points: Vectors, k: int) -> Neighbours:
    """The k points (n, dim) nearest to each query (m, dim), asked once; see ``NeighbourIndex``."""
    return NeighbourIndex(points).nearest(queries, k)


def copies(neighbours: Neighbours, *, same: float = SAME, groups: npt.NDArray[np.int64] | None = None) -> Indices:
    """For each point (n,) the first point that it is a copy of, directly or through others; itself where it is none.

    Union of all pairs with a cosine of ``same`` or more among the neighbours, and of the members of each group. A
    crowd of copies larger than k holds together because each of its members has k others among its nearest.

    Args:
        neighbours: of the points.
        same: cosine from which two are copies.
        groups: (n,) the group of copies that each point is known to be in; -1 for none.
    """
    import scipy.sparse
    from scipy.sparse.csgraph import connected_components

    count, _ = neighbours.indices.shape
    rows, columns = np.nonzero(neighbours.cosines >= same)
    others = neighbours.indices[rows, columns]
    if groups is not None:
        grouped = np.flatnonzero(groups >= 0)
        _, at, number = np.unique(groups[grouped], return_index=True, return_inverse=True)
        rows, others = np.concatenate([rows, grouped]), np.concatenate([others, grouped[at][number]])
    pairs = scipy.sparse.coo_matrix((np.ones(len(rows), np.int8), (rows, others)), (count, count))
    _, component = connected_components(pairs, directed=False)
    first = np.full(component.max(initial=-1) + 1, count, np.int64)
    np.minimum.at(first, component, np.arange(count))
    firsts: Indices = first[component].astype(np.int32)
    return firsts


def distinct(vectors: Vectors, k: int, *, same: float = SAME, groups: npt.NDArray[np.int64] | None = None) -> Distinct:
    """Points (n, dim) without their copies, with the k nearest of each that is left; ``same``, ``groups`` as above."""
    if not len(vectors):
        none = np.zeros(0, np.int32)
        return Distinct(none, none, Neighbours(np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32)))
    found = nearest(vectors, vectors, k + SPARE)
    first = copies(found, same=same, groups=groups)
    left = np.flatnonzero(first == np.arange(len(first))).astype(np.int32)
    place = np.full(len(vectors), -1, np.int32)
    place[left] = np.arange(len(left))
    among = place[found.indices[left]]
    # Copies are few as a rule: what is left of each list is enough, and only where it is not we ask again.
    order = np.argsort(among < 0, axis=1, kind="stable")[:, :k]
    kept = Neighbours(np.take_along_axis(among, order, 1), np.take_along_axis(found.cosines[left], order, 1))
    width = min(k, len(left))
    short = (kept.indices < 0).any(axis=1) | (kept.indices.shape[1] < width)
    if short.any():
        kept = Neighbours(kept.indices[:, :width].copy(), kept.cosines[:, :width].copy())
        again = nearest(vectors[left][short], vectors[left], width)
        kept.indices[short], kept.cosines[short] = again.indices, again.cosines
    return Distinct(first, left, _itself_first(kept))


def _itself_first(found: Neighbours) -> Neighbours:
    """The same lists with each point at the head of its own, where rounding put another or left it out."""
    own = np.arange(len(found.indices), dtype=np.int32)
    wrong = np.flatnonzero(found.indices[:, :1].ravel() != own)
    for row in wrong.tolist():
        where = np.flatnonzero(found.indices[row] == row)
        last = int(where[0]) if len(where) else found.indices.shape[1] - 1
        found.indices[row, 1 : last + 1] = found.indices[row, :last].copy()
        found.cosines[row, 1 : last + 1] = found.cosines[row, :last].copy()
        found.indices[row, 0], found.cosines[row, 0] = row, 1.0
    return found
