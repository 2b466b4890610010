"""Clusters of clusters: topics that are near one another make a theme."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.clustering.base import Labels
from postscope.indexing.types import Vectors

FEW: Final = 4
"""Fewer topics than this have no themes above them but one each."""


def means(vectors: Vectors, labels: Labels, count: int) -> Vectors:
    """The mean direction (count, dim) of each cluster; zero for one without members or direction."""
    import scipy.sparse

    inside = np.flatnonzero(labels >= 0)
    ones = np.ones(len(inside), np.float32)
    members = scipy.sparse.csr_matrix((ones, (labels[inside], inside)), (count, len(vectors)))
    total = np.asarray(members @ vectors, np.float64)
    lengths = np.linalg.norm(total, axis=1, keepdims=True)
    directions: Vectors = np.divide(total, lengths, out=np.zeros_like(total), where=lengths > 1e-9).astype(np.float32)
    return directions


def themes(centres: Vectors) -> Labels:
    """The theme of each topic (k,), by average linkage on the cosines of their centres (k, dim).

    Of the cuts that give from 2 to k/2 themes, the one with the best silhouette (Rousseeuw 1987); the coarser at a
    tie. Numbered by their first topic.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    count = len(centres)
    if count < FEW:
        return np.arange(count, dtype=np.int32)
    distances = np.maximum(1.0 - (centres @ centres.T).astype(np.float64), 0.0)
    np.fill_diagonal(distances, 0.0)
    tree = linkage(distances[np.triu_indices(count, 1)], "average")
    best, best_score = np.zeros(count, np.int64), -np.inf
    for wanted in range(2, count // 2 + 1):
        cut = fcluster(tree, wanted, "maxclust")
        score = _silhouette(distances, cut)
        if score > best_score + 1e-9:
            best, best_score = cut, score
    _, first, back = np.unique(best, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[back].astype(np.int32)


def _silhouette(distances: npt.NDArray[np.float64], cut: npt.NDArray[np.int64]) -> float:
    values, inverse = np.unique(cut, return_inverse=True)
    if len(values) < 2:
        return -1.0
    member = np.eye(len(values))[inverse]
    sizes = member.sum(axis=0)
    totals = distances @ member
    own = totals[np.arange(len(cut)), inverse] / np.maximum(sizes[inverse] - 1, 1)
    others = totals / sizes
    others[np.arange(len(cut)), inverse] = np.inf
    nearest = others.min(axis=1)
    scores = np.where(sizes[inverse] > 1, (nearest - own) / np.maximum(np.maximum(nearest, own), 1e-12), 0.0)
    return float(scores.mean())
