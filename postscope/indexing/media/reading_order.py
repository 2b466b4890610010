"""In which order the lines of a picture are read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SAME_ROW: float = 0.5
"""Share of the lower box's height that must overlap for two boxes to stand in one row."""


def reading_order(corners: npt.NDArray[np.float64]) -> list[list[int]]:
    """Rows from top to bottom, each with its boxes from left to right, however the picture is turned.

    The picture is turned back first, by the median slope of the boxes' upper edges (weighted by their length); then
    a box belongs to the row whose last box it overlaps by half of the lower one's height.

    Args:
        corners: shape (n, 4, 2), clockwise from the upper left, in pixels.

    Returns:
        Places of the boxes; every one occurs once.
    """
    if len(corners) == 0:
        return []
    upright = corners @ _turn(-_slope(corners))
    top, bottom = upright[:, :, 1].min(axis=1), upright[:, :, 1].max(axis=1)
    # Along the text, a slanted box is as high as its side, not as the span of its corners.
    side = np.linalg.norm(upright[:, 3] - upright[:, 0], axis=1)
    middle = (top + bottom) / 2
    top, bottom = middle - side / 2, middle + side / 2
    left = upright[:, :, 0].min(axis=1)
    rows: list[list[int]] = []
    for place in np.lexsort((np.arange(len(corners)), left, middle)).tolist():
        row = next((row for row in reversed(rows) if _beside(place, row[-1], top, bottom)), None)
        if row is None:
            rows.append([place])
        else:
            row.append(place)
    return [sorted(row, key=lambda place: (left[place], place)) for row in rows]


def _beside(one: int, other: int, top: npt.NDArray[np.float64], bottom: npt.NDArray[np.float64]) -> bool:
    overlap = min(bottom[one], bottom[other]) - max(top[one], top[other])
    lower = min(bottom[one] - top[one], bottom[other] - top[other])
    return bool(overlap > SAME_ROW * lower)


def _slope(corners: npt.NDArray[np.float64]) -> float:
    edges = corners[:, 1] - corners[:, 0]
    angles, lengths = np.arctan2(edges[:, 1], edges[:, 0]), np.linalg.norm(edges, axis=1)
    order = np.argsort(angles, kind="stable")
    reached = np.cumsum(lengths[order])
    return float(angles[order][np.searchsorted(reached, reached[-1] / 2)])


def _turn(angle: float) -> npt.NDArray[np.float64]:
    """For row vectors: (n, 2) @ this turns them by ``angle`` in the picture's axes (y down)."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin], [-sin, cos]])
