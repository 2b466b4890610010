"""Lays one picture over another: how the one must be moved to fit, and whether it then shows the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.copies.looks import SMALL_SIDE, Look
from postscope.indexing.hamming import nearest_two

_RATIO: Final = 0.8
"""Lowe's test (2004): the nearest feature must be this much nearer than the second."""
_REACH: Final = 4.0
"""Pixels that a feature may be off after the move."""
_WINDOW: Final = 7
_FLAT: Final = 12.0
"""Standard deviation of a window, in grey levels, below which it shows nothing."""
_ALIKE: Final = 0.5
"""Correlation of two windows that show the same."""
_MOST_SCALE: Final = 8.0
_MOST_SKEW: Final = 2.2

Move = npt.NDArray[np.float64]
"""Shape (2, 3): from places in the one picture to places in the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """How one picture fits on another.

    Attributes:
        move: from the one to the other.
        features: that agree on the move.
        agreement: share of what both show that is the same, 0 to 1.
        of_one: share of the one picture that lies on the other.
        of_other: share of the other that is covered.
    """

    move: Move
    features: int
    agreement: float
    of_one: float
    of_other: float

    @property
    def degrees(self) -> float:
        """By how much the one is turned, -180 to 180, clockwise as seen on a screen."""
        return float(np.degrees(np.arctan2(self.move[1, 0], self.move[0, 0])))


def fit(one: Look, other: Look) -> Overlay | None:
    """The move that most features agree on (RANSAC, Fischler and Bolles 1981); None where there is no sound one."""
    import cv2

    if len(one.features) < 4 or len(other.features) < 4:
        return None
    apart, nearest = nearest_two(one.features, other.features)
    good = np.flatnonzero(apart[:, 0] < _RATIO * apart[:, 1])
    if len(good) < 4:
        return None
    source, target = one.places[good], other.places[nearest[good, 0]]
    move, inliers = cv2.estimateAffine2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=_REACH, maxIters=500, confidence=0.99
    )
    if move is None or not _sound(move):
        return None
    return laid(one, other, np.asarray(move, np.float64), int(inliers.sum()))


def laid(one: Look, other: Look, move: Move, features: int = 0) -> Overlay | None:
    """What is seen when the one lies on the other; None where they do not meet."""
    import cv2

    rows, columns = other.small.shape
    on_small = _between_small(one, other, move)
    size = (columns, rows)
    moved = cv2.warpAffine(one.small, on_small, size, flags=cv2.INTER_AREA)
    whole = cv2.warpAffine(np.full(one.small.shape, 255, np.uint8), on_small, size, flags=cv2.INTER_NEAREST)
    shared = whole > 0
    count = int(shared.sum())
    if count < 16:
        return None
    agreement = _agreement(moved, np.asarray(other.small), shared)
    area = abs(float(np.linalg.det(on_small[:, :2]))) * one.small.size
    return Overlay(move, features, agreement, min(1.0, count / max(area, 1.0)), count / other.small.size)


def straight(one: Look, other: Look) -> Move:
    """The move that brings the whole of the one onto the whole of the other."""
    return np.array([[other.width / one.width, 0.0, 0.0], [0.0, other.height / one.height, 0.0]])


def _sound(move: Move) -> bool:
    stretch = np.linalg.svd(np.asarray(move)[:, :2], compute_uv=False)
    upright = float(np.linalg.det(np.asarray(move)[:, :2])) > 0  # the mirror image is looked for by itself
    return (
        upright and stretch[1] > 1 / _MOST_SCALE and stretch[0] < _MOST_SCALE and stretch[0] < _MOST_SKEW * stretch[1]
    )


def _between_small(one: Look, other: Look, move: Move) -> Move:
    into, out = max(one.width, one.height) / SMALL_SIDE, SMALL_SIDE / max(other.width, other.height)
    scaled = np.asarray(move, np.float64) * out
    scaled[:, :2] *= into
    return scaled


def _agreement(moved: npt.NDArray[np.uint8], still: npt.NDArray[np.uint8], shared: npt.NDArray[np.bool_]) -> float:
    """Share of the windows that show something in both pictures and correlate."""
    import cv2

    weight = shared.astype(np.float32)

    def mean(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        summed = cv2.boxFilter(values * weight, -1, (_WINDOW, _WINDOW), normalize=False)
        return np.asarray(summed / within, np.float32)

    within = np.maximum(cv2.boxFilter(weight, -1, (_WINDOW, _WINDOW), normalize=False), 1.0)
    a, b = (cv2.GaussianBlur(picture.astype(np.float32), (3, 3), 0) for picture in (moved, still))
    mean_a, mean_b = mean(a), mean(b)
    spread_a = np.sqrt(np.maximum(mean(a * a) - mean_a**2, 0.0))
    spread_b = np.sqrt(np.maximum(mean(b * b) - mean_b**2, 0.0))
    correlation = (mean(a * b) - mean_a * mean_b) / np.maximum(spread_a * spread_b, 1.0)
    telling = shared & (np.minimum(spread_a, spread_b) > _FLAT)
    if telling.sum() < 0.02 * shared.sum() or telling.sum() < 16:
        return 0.0
    return float((correlation[telling] > _ALIKE).mean())
