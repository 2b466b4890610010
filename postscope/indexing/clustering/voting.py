"""Points that belong to no cluster yet, judged by the clusters of their neighbours."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.clustering.base import Labels, Strengths
from postscope.indexing.clustering.neighbours import Neighbours

VOTERS: Final = 15
"""Neighbours that are asked."""
SHARE: Final = 0.35
"""Share of the votes, weighted by cosine, that a cluster needs; neighbours that are noise vote for none."""
SLICE: Final = 4_096


def vote(
    neighbours: Neighbours, labels: Labels, *, share: float = SHARE, clusters: int | None = None
) -> tuple[Labels, Strengths]:
    """What the neighbours (n, k) of n points say: the cluster with the most votes, and its share of them.

    Args:
        neighbours: of the points to be judged, among labelled points; the point itself must not be among them.
        labels: of the labelled points.
        share: less gives noise, with strength 0.
        clusters: how many there are; by default by the labels.

    Ties go to the cluster with the smaller number.
    """
    count = clusters if clusters is not None else int(labels.max(initial=-1)) + 1
    chosen = np.full(len(neighbours.indices), -1, np.int32)
    strength = np.zeros(len(chosen), np.float32)
    if not count or not neighbours.indices.shape[1]:
        return chosen, strength
    for start in range(0, len(chosen), SLICE):
        part = slice(start, start + SLICE)
        totals, all_votes = _count(neighbours.indices[part], neighbours.cosines[part], labels, count)
        best = totals.argmax(axis=1)
        won = totals[np.arange(len(best)), best] / np.maximum(all_votes, 1e-9)
        enough = won >= share
        chosen[part] = np.where(enough, best, -1)
        strength[part] = np.where(enough, won, 0.0)
    return chosen, strength


def _count(
    indices: npt.NDArray[np.int32], cosines: npt.NDArray[np.float32], labels: Labels, count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Votes of each point for each cluster (m, count), and all votes of each point (m,)."""
    weights = np.maximum(cosines, 0.0).astype(np.float64)
    theirs = labels[indices]
    rows = np.repeat(np.arange(len(indices)), indices.shape[1])
    kept = theirs.ravel() >= 0
    cells = rows[kept] * count + theirs.ravel()[kept]
    totals = np.bincount(cells, weights=weights.ravel()[kept], minlength=len(indices) * count).astype(np.float64)
    return totals.reshape(len(indices), count), np.asarray(weights.sum(axis=1))
