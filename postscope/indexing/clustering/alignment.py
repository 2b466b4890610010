"""Maps that do not turn between runs: a layout moved onto an earlier one without bending it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.clustering.layout import Layout
from postscope.indexing.clustering.neighbours import Indices

FEW: Final = 3
"""Common points that an alignment needs."""


def aligned(fresh: Layout, earlier: Layout) -> Layout:
    """``fresh`` (n, 2) turned, mirrored, scaled and shifted to lie as near as it can to ``earlier`` (n, 2).

    Points that have no earlier place are nan there. Orthogonal Procrustes (Schönemann 1966) with scale; with fewer
    than ``FEW`` common points the layout is only centred.
    """
    known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(earlier).all(axis=1))
    if known.sum() < FEW:
        return (fresh - fresh.mean(axis=0)).astype(np.float32) if len(fresh) else fresh
    mine, theirs = fresh[known].astype(np.float64), earlier[known].astype(np.float64)
    my_middle, their_middle = mine.mean(axis=0), theirs.mean(axis=0)
    mine, theirs = mine - my_middle, theirs - their_middle
    left, sizes, right = np.linalg.svd(mine.T @ theirs)
    total = (mine**2).sum()
    scale = sizes.sum() / total if total > 0 else 1.0
    # A layout that shares little with the earlier one must not shrink to a point.
    scale = float(np.clip(scale, 0.5, 2.0))
    moved: Layout = ((fresh - my_middle) @ (left @ right) * scale + their_middle).astype(np.float32)
    return moved


def start_from(earlier: Layout, fallback: Layout, neighbours: Indices) -> Layout:
    """Where a layout (n, 2) begins: at its earlier places; a new point at the mean of its neighbours' places.

    Args:
        earlier: nan where a point has no place.
        fallback: of points without placed neighbours.
        neighbours: (n, k) places of the nearest.
    """
    known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(earlier).all(axis=1))
    if not known.any():
        return fallback
    places = np.where(known[:, None], earlier, 0.0)
    around = known[neighbours]
    weights = around.sum(axis=1, keepdims=True)
    means = (places[neighbours] * around[..., None]).sum(axis=1) / np.maximum(weights, 1)
    middle, spread = earlier[known].mean(axis=0), earlier[known].std() + 1e-6
    outside = fallback / max(float(fallback.std()), 1e-6) * spread + middle
    # A little apart, so that no two new points begin at one place.
    jitter = (fallback - fallback.mean(axis=0)) / max(float(np.abs(fallback).max()), 1e-6) * 0.05 * spread
    start = np.where(known[:, None], earlier, np.where(weights > 0, means + jitter, outside))
    return start.astype(np.float32)
