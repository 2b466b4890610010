"""A layout of vectors in few dimensions that keeps neighbours together: UMAP on a given neighbour graph.

McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection" (2018, arXiv:1802.03426). The graph
is the fuzzy union of section 3.1; the start is an earlier layout or the principal components, not the spectral
embedding, so that the result does not turn from run to run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.clustering.neighbours import Neighbours
from postscope.indexing.types import Vectors

Layout = npt.NDArray[np.float32]
"""Shape (n, dim): where each point lies."""

STEPS: Final = 40
"""Doublings and bisections for the width of a neighbourhood."""
SLICE: Final = 10
"""Epochs between two looks at whether to stop."""
AXES_FROM: Final = 4_096
"""Points that principal components are taken from: a start need not be exact."""
EXTENT: Final = 10.0
"""Half the width of the start."""


@dataclass(frozen=True, slots=True)
class LayoutParams:
    """How to lay out.

    Attributes:
        dim: dimensions.
        epochs: passes over the graph.
        a: of the curve 1 / (1 + a d^2) that a distance d is compared by. It is UMAP's with b = 1, as t-SNE has it,
            which needs no powers: a third of the time, and no worse (Böhm, Berens and Kobak 2022).
        negatives: pushes for each pull.
        rate: of the descent at its start.
    """

    dim: int
    epochs: int
    a: float
    negatives: int = 5
    rate: float = 1.0


TIGHT: Final = LayoutParams(dim=5, epochs=100, a=1.9)
"""For clustering: points may lie on one another."""
PLANE: Final = LayoutParams(dim=2, epochs=100, a=1.5)
"""For looking at."""


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Edges of the fuzzy graph: ``heads``, ``tails`` (m,) int32, ``weights`` (m,) float32 in (0, 1]."""

    heads: npt.NDArray[np.int32]
    tails: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]


def fuzzy_graph(neighbours: Neighbours) -> Graph:
    """The fuzzy union of every point's neighbourhood (n, k), whose widths make each count for log2(k) points."""
    import scipy.sparse

    distances = np.maximum(1.0 - neighbours.cosines, 0.0).astype(np.float64)
    count, k = distances.shape
    positive = np.where(distances > 0, distances, np.inf).min(axis=1)
    nearest = np.where(np.isfinite(positive), positive, 0.0)
    low, high = np.zeros(count), np.full(count, np.inf)
    width, target = np.ones(count), np.log2(max(k, 2))
    beyond = np.maximum(distances - nearest[:, None], 0.0)
    for _ in range(STEPS):
        total = np.exp(-beyond / width[:, None]).sum(axis=1)
        high = np.where(total > target, width, high)
        low = np.where(total > target, low, width)
        width = np.where(np.isfinite(high), (low + high) / 2, width * 2)
    width = np.maximum(width, 1e-3 * np.maximum(distances.mean(axis=1), 1e-12))
    strength = np.exp(-beyond / width[:, None])
    rows = np.repeat(np.arange(count, dtype=np.int32), k)
    one_way = scipy.sparse.csr_matrix((strength.ravel(), (rows, neighbours.indices.ravel())), (count, count))
    one_way.setdiag(0)
    back = one_way.T.tocsr()
    union = (one_way + back - one_way.multiply(back)).tocoo()
    kept = union.data > 0
    return Graph(
        union.row[kept].astype(np.int32), union.col[kept].astype(np.int32), union.data[kept].astype(np.float32)
    )


def lay_out(
    graph: Graph,
    start: Layout,
    params: LayoutParams,
    *,
    seed: int,
    check: Callable[[float], None] = lambda _: None,
) -> Layout:
    """Move ``start`` (n, dim) so that what is joined lies together and the rest apart.

    Args:
        graph: of n points.
        start: where they begin; not changed.
        params: how.
        seed: of the choice of what is pushed apart.
        check: called with the share that is done; may raise to stop.
    """
    from postscope.indexing.clustering.descent import descend

    placed = np.ascontiguousarray(start, np.float32).copy()
    if not len(graph.weights):
        return placed
    # An edge that would be pulled less than once in all epochs is left out, as umap-learn does.
    kept = graph.weights >= graph.weights.max() / params.epochs
    heads, tails = graph.heads[kept], graph.tails[kept]
    pauses = (graph.weights.max() / graph.weights[kept]).astype(np.float32)
    for first in range(0, params.epochs, SLICE):
        last = min(first + SLICE, params.epochs)
        descend(
            placed, heads, tails, pauses, first, last, params.epochs, params.a, params.negatives, params.rate, seed,
        )  # fmt: skip
        check(last / params.epochs)
    return placed


def principal_start(vectors: Vectors, dim: int, *, seed: int) -> Layout:
    """The first principal components (n, dim), scaled to ``EXTENT``, with a little noise so that no two coincide.

    Signs are fixed (the largest loading is positive), so that equal input gives an equal start.
    """
    noise = np.random.default_rng(seed).normal(scale=1e-2, size=(len(vectors), dim))
    if not len(vectors):
        return noise.astype(np.float32)
    middle = vectors - vectors.mean(axis=0)
    some = middle[:: max(1, len(middle) // AXES_FROM)].astype(np.float64)
    _, axes = np.linalg.eigh(some.T @ some)
    axes = axes[:, ::-1][:, :dim]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    start = np.zeros((len(vectors), dim))
    start[:, : axes.shape[1]] = middle @ axes
    most = np.abs(start).max()
    return ((start * (EXTENT / most) if most > 0 else start) + noise).astype(np.float32)
