"""Which frames of a video to keep: where the picture changes, regularly, and never only the beginning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

Thumbnail = npt.NDArray[np.uint8]

SCENE_CHANGE = 24.0
"""Mean difference from the last frame that was kept, in levels of 0 to 255, from which the picture has changed: it is
mostly below 10 while a camera stands, and above 30 between scenes."""

SCENE_WORTH = 1.0
"""Stretches between regular frames that a changed picture counts for beyond its own when some have to go."""

T = TypeVar("T")


@dataclass(slots=True)
class Kept(Generic[T]):
    """A frame that is kept so far."""

    seconds: float
    scene: bool
    item: T


class Sampler(Generic[T]):
    """Chooses as the frames go by, in memory that does not grow with the video.

    Regular frames come every ``every`` seconds, or further apart where a video of the announced length would have
    more than ``most`` of them. Frames in which the picture has changed come on top. Of more than twice ``most``, the
    one that stands for the shortest stretch goes, so that the rest is spread over the whole length, announced or not.

    Args:
        most: frames in the end.
        every: seconds between regular frames, at most.
        duration: in seconds as announced; None where it is not.
    """

    def __init__(self, *, most: int, every: float, duration: float | None) -> None:
        self._most = most
        self._spacing = max(every, (duration or 0.0) / most)
        self._gap = min(0.5, self._spacing / 4)
        self._look = min(0.2, self._spacing / 8)
        self._kept: list[Kept[T]] = []
        self._shown: Thumbnail | None = None
        self._looked = self._last = float("-inf")

    def wants(self, seconds: float) -> bool:
        """Whether to look at the frame of this time at all; frames come in the order of time."""
        return seconds >= self._looked + self._look

    def chooses(self, seconds: float, thumbnail: Thumbnail) -> bool | None:
        """Whether to keep it: True since the picture has changed, False as a regular frame, None not at all."""
        self._looked = seconds
        if self._shown is None:
            chosen: bool | None = False
        elif seconds >= self._last + self._gap and self._changed(thumbnail, self._shown):
            chosen = True
        else:
            chosen = False if seconds >= self._last + self._spacing - self._look / 2 else None
        if chosen is not None:
            self._last, self._shown = seconds, thumbnail
        return chosen

    def keep(self, seconds: float, item: T, *, scene: bool) -> None:
        """Keep it, and let another go where there are too many."""
        self._kept.append(Kept(seconds, scene, item))
        if len(self._kept) > 2 * self._most:
            self._drop()

    def result(self) -> list[Kept[T]]:
        """At most ``most`` frames, in the order of time."""
        while len(self._kept) > self._most:
            self._drop()
        return list(self._kept)

    @staticmethod
    def _changed(one: Thumbnail, other: Thumbnail) -> bool:
        return float(np.abs(one.astype(np.int16) - other).mean()) >= SCENE_CHANGE

    def _drop(self) -> None:
        """Never the first nor the last; with one frame allowed, the last goes."""
        kept = self._kept
        if len(kept) <= 2:
            kept.pop()
            return
        worth = [
            kept[i + 1].seconds - kept[i - 1].seconds + (SCENE_WORTH * self._spacing if kept[i].scene else 0.0)
            for i in range(1, len(kept) - 1)
        ]
        del kept[1 + int(np.argmin(worth))]
