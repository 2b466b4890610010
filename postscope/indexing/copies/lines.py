"""Lines through pairs of frames: a frame of the one video at t matches the other's at speed * t + offset.

Every pair votes for an offset at each speed (a Hough transform, as in Douze et al. 2010); the line with the most frames
on it wins.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.copies.frames import Flags, Frames

SPEEDS: Final = (1.0, 0.5, 0.67, 0.75, 0.8, 0.9, 0.95, 1.05, 1.1, 1.25, 1.33, 1.5, 1.75, 2.0)
"""The one's seconds times this are the other's: 2 where the one is played at double speed."""
SLACK_SECONDS: Final = 1.0
"""How far a frame may be off the line: frames of two copies are not taken at the same moments."""
_SPEED_COST: Final = 0.1
_SPREAD_COST: Final = 0.3
"""A second of spread; at most half of the slack."""

Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Line:
    """Pairs of frames at one speed and offset.

    Attributes:
        speed: see ``SPEEDS``.
        offset: the other's seconds where the one begins.
        pairs: places of frames, of the one and of the other.
        spread: standard deviation of the offsets, in seconds.
    """

    speed: float
    offset: float
    pairs: tuple[tuple[int, int], ...]
    spread: float

    @property
    def ones(self) -> list[int]:
        """The frames of the one, in order."""
        return sorted({pair[0] for pair in self.pairs})

    @property
    def others(self) -> list[int]:
        """The frames of the other, in order."""
        return sorted({pair[1] for pair in self.pairs})

    @property
    def frames(self) -> int:
        """How many frames are on it; of the two videos, of the one with fewer."""
        return min(len(self.ones), len(self.others))

    def without(self, pairs: Collection[tuple[int, int]]) -> Line:
        """The same line with fewer pairs on it."""
        return replace(self, pairs=tuple(pair for pair in self.pairs if pair not in pairs))

    def with_all(self, asked: Frames, kept: Frames, near: Flags) -> Line:
        """The same line with all pairs that are near on it."""
        off = kept.seconds[None] - self.speed * asked.seconds[:, None] - self.offset
        rows, columns = np.nonzero(near & (np.abs(off) <= SLACK_SECONDS / 2))
        pairs = zip(rows.tolist(), columns.tolist(), strict=True)
        return replace(self, pairs=tuple(dict.fromkeys((*self.pairs, *pairs))))

    def closest(self, asked: Frames, kept: Frames) -> dict[int, int]:
        """For each frame of the other on the line that of the one which is nearest in time."""
        best: dict[int, tuple[float, int]] = {}
        for one, other in self.pairs:
            off = abs(float(kept.seconds[other] - self.speed * asked.seconds[one] - self.offset))
            best[other] = min(best.get(other, (np.inf, one)), (off, one))
        return {other: one for other, (_, one) in sorted(best.items())}

    def in_reach(self, asked: Frames, kept: Frames) -> int:
        """How many frames of the one fall where the other is; of the other, where that is fewer."""
        there = self.speed * asked.seconds + self.offset
        back = (kept.seconds - self.offset) / self.speed
        own = int(((there >= -SLACK_SECONDS) & (there <= kept.duration + SLACK_SECONDS)).sum())
        others = int(((back >= -SLACK_SECONDS) & (back <= asked.duration + SLACK_SECONDS)).sum())
        return min(own, others)


def best_line(asked: Frames, kept: Frames, near: Flags) -> Line | None:
    """The line with the most frames; None where no frames are near.

    Args:
        asked: the one, with n frames.
        kept: the other, with m frames.
        near: shape (n, m), which pairs vote.
    """
    rows, columns = np.nonzero(near)
    if not len(rows):
        return None
    best: Line | None = None
    for speed in SPEEDS:
        line = _densest(kept.seconds[columns] - speed * asked.seconds[rows], rows, columns, speed)
        if best is None or _weight(line) > _weight(best):
            best = line
    return best


def _densest(offsets: npt.NDArray[np.float64], rows: Places, columns: Places, speed: float) -> Line:
    """The window of offsets with the most frames, each counted once."""
    order = np.argsort(offsets, kind="stable")
    ends = np.searchsorted(offsets[order], offsets[order] + SLACK_SECONDS, side="right")
    chosen, most = order[:0], (-1, 0.0)
    for start, end in enumerate(ends.tolist()):
        window = order[start:end]
        count = min(len(set(rows[window].tolist())), len(set(columns[window].tolist())))
        tightness = -float(np.std(offsets[window]))
        if (count, tightness) > most:
            chosen, most = window, (count, tightness)
    pairs = tuple(zip(rows[chosen].tolist(), columns[chosen].tolist(), strict=True))
    return Line(speed, float(np.median(offsets[chosen])), pairs, float(np.std(offsets[chosen])))


def _weight(line: Line) -> float:
    """More frames on the line are better, and a sharper line; another speed than 1 has to be a good deal better."""
    return line.frames * (1 - _SPEED_COST * (line.speed != 1.0) - _SPREAD_COST * line.spread)
