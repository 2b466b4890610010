"""Many vectors against the vectors of known content: what looks like what, without a pair being left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from postscope.indexing.calibration import SpaceCalibration
from postscope.indexing.known.index import KnownIndex
from postscope.indexing.known.matching import Part
from postscope.indexing.types import Vectors

_CHUNK: Final = 4_096
"""Known vectors that are compared with at once, so that memory does not grow with the banks."""
_ROUNDING: Final = 1e-5
"""By which a cosine of many may differ from the same one alone."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A vector is near one of an entry: ``row`` among those asked about, ``place`` of the entry, relevance."""

    row: int
    place: int
    score: float


def look_alikes(
    index: KnownIndex, part: Part, vectors: Vectors, calibration: SpaceCalibration, *, least: float
) -> list[Alike]:
    """All pairs of a relevance of ``least`` or more, as ``matching.find`` tells it; of several vectors of an entry the
    best counts. Whether an entry's own threshold is reached is not looked at.

    Args:
        index: known content.
        part: of which the vectors are.
        vectors: shape (n, dim), centred, of unit length.
        calibration: of their space.
        least: a relevance above 0.
    """
    held = index.vectors(part)
    if held is None or not len(vectors) or not len(held[0]):
        return []
    known, owners = held
    curves = calibration.likeness(vectors, part)
    floors = np.array([curve.cosine_for(least) for curve in curves]) - _ROUNDING
    best: dict[tuple[int, int], float] = {}
    for start in range(0, len(known), _CHUNK):
        cosines = vectors @ known[start : start + _CHUNK].T
        for row, column in np.argwhere(cosines >= floors[:, None]).tolist():
            score = float(curves[row].relevance(np.asarray(cosines[row, column])))
            pair = row, int(owners[start + column])
            if score >= least and score > best.get(pair, 0.0):
                best[pair] = score
    return [Alike(row, place, score) for (row, place), score in sorted(best.items())]
