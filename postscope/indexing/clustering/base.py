"""The ``Clusterer`` swap point. Its contract suite is ``tests/contracts/test_clusterers.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from postscope.indexing.clustering.neighbours import Distinct
from postscope.indexing.types import Vectors

Labels = npt.NDArray[np.int32]
"""Shape (n,): the cluster of each point, from 0; -1 is noise."""
Strengths = npt.NDArray[np.float32]
"""Shape (n,): how firmly a point belongs to its cluster, 0 to 1; 0 for noise."""

Check = Callable[[str, float], None]
"""Called with the step and the share of it that is done, 0 to 1; may raise to stop."""


def unchecked(step: str, share: float) -> None:
    """Nobody wants to know, nobody stops it."""


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """Three layers of clusters of n points.

    Attributes:
        labels: the clusters, numbered by size (falling), then by their first point.
        strengths: of each point in its cluster.
        themes: shape (k,): the theme of each of the k clusters, from 0.
        parts: shape (n,): the sub-cluster of each point, from 0, each inside one cluster; -1 where its cluster has
            none or it belongs to none of them.
    """

    labels: Labels
    strengths: Strengths
    themes: Labels
    parts: Labels

    @property
    def count(self) -> int:
        """How many clusters."""
        return len(self.themes)


class Clusterer(Protocol):
    """Finds the dense regions of a set of unit vectors.

    Equal input and seed give equal output. Copies of one point make no region: a flood of one text is noise unless
    others say the same in their words; copies share the label of what they are copies of. Defined for 0 points, for 1
    and for points that are all equal: no cluster.
    """

    def cluster(
        self,
        vectors: Vectors,
        *,
        min_size: int,
        seed: int,
        check: Check = unchecked,
        known: Distinct | None = None,
    ) -> Clustering:
        """Cluster points (n, dim).

        Args:
            vectors: unit length.
            min_size: distinct points that make a cluster, at least 2.
            seed: of everything random.
            check: told how far it is.
            known: the points without their copies, and ``NEIGHBOURS`` + 1 nearest of each, where the caller has them.
        """
        ...


def nothing(count: int) -> Clustering:
    """``count`` points that are all noise."""
    empty = np.zeros(0, np.int32)
    noise = np.full(count, -1, np.int32)
    return Clustering(noise, np.zeros(count, np.float32), empty, noise.copy())


def by_size(labels: Labels) -> Labels:
    """The same clusters, numbered by size (falling), then by their first point; noise stays -1."""
    inside = labels >= 0
    if not inside.any():
        return np.full(len(labels), -1, np.int32)
    values, first, counts = np.unique(labels[inside], return_index=True, return_counts=True)
    number = np.full(int(values.max()) + 1, -1, np.int32)
    number[values[np.lexsort((first, -counts))]] = np.arange(len(values))
    renumbered = np.full(len(labels), -1, np.int32)
    renumbered[inside] = number[labels[inside]]
    return renumbered
