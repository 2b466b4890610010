"""Points that lie far off from the rest of a cluster are none of it, whatever their neighbours say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.clustering.base import Labels
from postscope.indexing.clustering.themes import means
from postscope.indexing.types import Vectors

FENCE: Final = 2.0
"""Spreads between the quartiles below the lower one: between what Tukey (1977) calls outside and far out."""
FEW: Final = 8
"""Fewer members than this do not tell a spread."""
ANYWHERE: Final = -1.0


def fence(cosines: npt.NDArray[np.float32]) -> float:
    """The cosine with its centre below which a point is far off, by those of the members (n,)."""
    if len(cosines) < FEW:
        return ANYWHERE
    low, high = np.quantile(cosines, (0.25, 0.75))
    return float(low - FENCE * (high - low))


@dataclass(frozen=True, slots=True, eq=False)
class Fences:
    """Of k clusters: ``centres`` (k, dim), unit length, and ``floors`` (k,), the cosine that a member has at least."""

    centres: Vectors
    floors: npt.NDArray[np.float32]

    @classmethod
    def around(cls, vectors: Vectors, labels: Labels, count: int) -> Fences:
        """Of the clusters that ``labels`` (n,) make of points (n, dim)."""
        centres = means(vectors, labels, count)
        cosines = _cosines(vectors, labels, centres)
        return cls(centres, np.array([fence(cosines[labels == k]) for k in range(count)], np.float32))

    def keep(self, vectors: Vectors, labels: Labels) -> Labels:
        """The labels (m,) of points (m, dim), -1 where a point is outside the fence of its cluster."""
        if not len(self.floors):
            return labels
        inside = _cosines(vectors, labels, self.centres) >= self.floors[labels]
        return np.where((labels >= 0) & inside, labels, -1).astype(np.int32)


def _cosines(vectors: Vectors, labels: Labels, centres: Vectors) -> npt.NDArray[np.float32]:
    """Of each point with the centre of its own cluster; of noise anything."""
    if not len(centres):
        return np.zeros(len(labels), np.float32)
    return np.asarray(np.einsum("nd,nd->n", vectors, centres[labels]), np.float32)
