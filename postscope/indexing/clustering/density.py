"""The default ``Clusterer``: exact neighbours, a tight layout of their graph, HDBSCAN on it, then a vote.

Campello, Moulavi and Sander, "Density-Based Clustering Based on Hierarchical Density Estimates" (2013). Why these
parts: docs/decisions/0020-clustering.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.clustering.base import (
    Check,
    Clustering,
    Labels,
    Strengths,
    by_size,
    nothing,
    unchecked,
)
from postscope.indexing.clustering.fences import Fences
from postscope.indexing.clustering.layout import TIGHT, fuzzy_graph, lay_out, principal_start
from postscope.indexing.clustering.neighbours import NEIGHBOURS, Distinct, Neighbours, distinct
from postscope.indexing.clustering.themes import means, themes
from postscope.indexing.clustering.voting import VOTERS, vote
from postscope.indexing.types import Vectors

CORE: Final = 5
"""Neighbours by which HDBSCAN measures density."""
CIRCLE: Final = 10
"""Neighbours that judge a point, at least; ``NEIGHBOURS`` at most."""
TIGHT_COSINE: Final = 0.5
"""Mean cosine with the common centre from which points that fall into no clusters are one topic."""
LARGEST: Final = 0.2
"""A region with more than this share of all points is taken apart where it has parts; one that has none stays whole."""
FEW: Final = 25
"""And it has more points than this many least clusters: a small window may well have one subject."""
PARTS_SHARE, LOOSE_PARTS_SHARE = 0.5, 0.25
"""Share of its points that the parts must have; less is enough where they do not lie around one centre: that is no
topic whatever its density, as where all posts are to one address."""
PARTED: Final = 4
"""A sub-topic needs a quarter of the points that a topic needs."""


@dataclass(frozen=True, slots=True)
class DensityClusterer:
    """Clusters of any shape and number, with sub-clusters; see ``Clusterer``.

    Attributes:
        epochs: of the layout.
        dim: dimensions of the layout.
    """

    epochs: int = TIGHT.epochs
    dim: int = TIGHT.dim

    def cluster(
        self,
        vectors: Vectors,
        *,
        min_size: int,
        seed: int,
        check: Check = unchecked,
        known: Distinct | None = None,
    ) -> Clustering:
        """See ``Clusterer``."""
        if min_size < 2:
            raise ValueError(f"min_size must be 2 or more, not {min_size}")
        if not len(vectors):
            return nothing(0)
        check("neighbours", 0.0)
        known = known or distinct(vectors, NEIGHBOURS + 1)
        if len(known.alone) < min_size:
            return nothing(len(vectors))
        check("neighbours", 1.0)
        labels, strengths, parts = self._distinct(vectors[known.alone], known.near, min_size, seed, check)
        back = known.back
        return _finished(vectors, labels[back], strengths[back], parts[back])

    def _distinct(
        self, vectors: Vectors, neighbours: Neighbours, min_size: int, seed: int, check: Check
    ) -> tuple[Labels, Strengths, Labels]:
        # Most of a small topic's posts must find most of their neighbours in it.
        circle = int(np.clip(2 * min_size, CIRCLE, NEIGHBOURS))
        placed = lay_out(
            fuzzy_graph(neighbours.first(max(VOTERS, circle) + 1)),
            principal_start(vectors, self.dim, seed=seed),
            replace(TIGHT, epochs=self.epochs, dim=self.dim),
            seed=seed,
            check=lambda share: check("layout", share),
        )
        check("density", 0.0)
        tree = _spanning_tree(placed)
        labels = _regions(tree, vectors, min_size)
        if labels.max(initial=-1) < 0:
            return (*_one_or_none(vectors), np.full(len(vectors), -1, np.int32))
        others = neighbours.others()
        voted, _ = vote(others.first(min(VOTERS, circle)), labels)
        # Noise goes where its neighbours are; then every point is judged once more, as a rule by a wider circle.
        labels, strengths = vote(others.first(circle), np.where(labels < 0, voted, labels))
        labels = Fences.around(vectors, labels, int(labels.max(initial=-1)) + 1).keep(vectors, labels)
        strengths = np.where(labels >= 0, strengths, 0.0).astype(np.float32)
        parts, _ = _extract(tree, max(2, min_size // PARTED), "leaf")
        check("density", 1.0)
        return labels, strengths, _inside(parts, labels)


def _spanning_tree(placed: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    import numba
    from fast_hdbscan.hdbscan import compute_minimum_spanning_tree

    core = min(CORE, len(placed) - 1)
    threads = numba.get_num_threads()
    # Its threads wait for one another more than they work: one alone is several times faster on a busy machine.
    numba.set_num_threads(1)
    try:
        tree: npt.NDArray[np.float64] = compute_minimum_spanning_tree(
            placed.astype(np.float64), min_samples=core, reproducible=True
        )[0]
    finally:
        numba.set_num_threads(threads)
    return tree


def _extract(
    tree: npt.NDArray[np.float64], min_size: int, how: str, *, largest: float = np.inf, single: bool = False
) -> tuple[Labels, Strengths]:
    from fast_hdbscan.hdbscan import clusters_from_spanning_tree

    try:
        found: tuple[Any, ...] = clusters_from_spanning_tree(
            tree, min_cluster_size=min_size, cluster_selection_method=how, max_cluster_size=largest,
            allow_single_cluster=single,
        )  # fmt: skip
    except KeyError:  # how fast_hdbscan says that no cluster is small enough
        return np.full(len(tree) + 1, -1, np.int32), np.zeros(len(tree) + 1, np.float32)
    labels = np.asarray(found[0], np.int32)
    strengths = np.nan_to_num(np.asarray(found[1], np.float32))
    return labels, np.where(labels >= 0, np.clip(strengths, 0.0, 1.0), 0.0).astype(np.float32)


def _regions(tree: npt.NDArray[np.float64], vectors: Vectors, min_size: int) -> Labels:
    """The regions of HDBSCAN; all points may be one only where they lie around one centre."""
    labels, _ = _extract(tree, min_size, "eom", single=_tightness(vectors) >= TIGHT_COSINE)
    return _taken_apart(labels, vectors, tree, min_size, max(LARGEST * len(vectors), FEW * min_size))


def _taken_apart(
    labels: Labels, vectors: Vectors, tree: npt.NDArray[np.float64], min_size: int, largest: float
) -> Labels:
    """A region of more than ``largest`` points is replaced by the smaller ones that make up enough of it, where there
    are two or more."""
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    if sizes.max() <= largest:
        return labels
    smaller, _ = _extract(tree, min_size, "eom", largest=largest)
    fresh = int(labels.max()) + 1
    for region in np.flatnonzero(sizes > largest).tolist():
        inside = labels == region
        parts = smaller[inside]
        share = PARTS_SHARE if _tightness(vectors[inside]) >= TIGHT_COSINE else LOOSE_PARTS_SHARE
        if len(np.unique(parts[parts >= 0])) >= 2 and (parts >= 0).mean() >= share:
            labels[inside] = np.where(parts >= 0, parts + fresh, -1)
    return by_size(labels)


def _one_or_none(vectors: Vectors) -> tuple[Labels, Strengths]:
    """Points without a structure: one topic where they are all alike, noise where they are not."""
    cosines = _to_centre(vectors)
    if float(cosines.mean()) < TIGHT_COSINE:
        return np.full(len(vectors), -1, np.int32), np.zeros(len(vectors), np.float32)
    one = np.zeros(len(vectors), np.int32)
    labels = Fences.around(vectors, one, 1).keep(vectors, one)
    return labels, np.where(labels >= 0, np.clip(cosines, 0.0, 1.0), 0.0).astype(np.float32)


def _tightness(vectors: Vectors) -> float:
    return float(_to_centre(vectors).mean())


def _to_centre(vectors: Vectors) -> npt.NDArray[np.float32]:
    """Cosine of each point with the common centre."""
    return np.asarray(vectors @ means(vectors, np.zeros(len(vectors), np.int32), 1)[0], np.float32)


def _inside(parts: Labels, labels: Labels) -> Labels:
    """Sub-clusters cut to the cluster that most of each lies in; a cluster with only one of them has none."""
    kept = np.full(len(parts), -1, np.int32)
    owner: dict[int, list[int]] = {}
    for part in range(int(parts.max(initial=-1)) + 1):
        theirs = labels[(parts == part) & (labels >= 0)]
        if len(theirs):
            owner.setdefault(int(np.bincount(theirs).argmax()), []).append(part)
    number = 0
    for cluster, inside in sorted(owner.items()):
        if len(inside) < 2:
            continue
        for part in inside:
            kept[(parts == part) & (labels == cluster)] = number
            number += 1
    return kept


def _finished(vectors: Vectors, labels: Labels, strengths: Strengths, parts: Labels) -> Clustering:
    ordered = by_size(labels)
    centres = means(vectors, ordered, int(ordered.max(initial=-1)) + 1)
    return Clustering(ordered, strengths.astype(np.float32), themes(centres), by_size(parts))
