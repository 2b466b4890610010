"""Frames of videos as they are compared: what is cheap to tell of all pairs, and what is sure of a few.

Frames are *near* by PDQ or by the code of what they show: cheap, and often wrong, as two scenes of one kind of thing
have codes like each other. They are *the same* when PDQ says so beyond doubt or one picture fits on the other
(``images``): sure, and some milliseconds each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.copies.images import AskedImage, KeptImage, compare_images
from postscope.indexing.copies.looks import Look
from postscope.indexing.copies.verdicts import CopyVerdict
from postscope.indexing.fingerprints import PDQ_QUALITY, PDQ_RADIUS

PDQ_NEAR: Final = 40
SCENE_NEAR: Final = 70

Codes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
LookOf = Callable[[int], Look | None]
"""The look of a frame, by its place; None where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Fingerprints of a video's frames, in order.

    Attributes:
        seconds: shape (n,), when each is shown.
        pdq: shape (n, 32).
        quality: shape (n,), of PDQ.
        turned: shape (n, k, 32), PDQ of the turned and mirrored forms where they are known, of the frame itself first.
        scene: shape (n, m, 32), codes of what each frame shows.
        duration: of the video, in seconds.
        pictures: each frame as it is asked about; none of frames that are only compared with.
        look: what a frame that is compared with is told by.
    """

    seconds: npt.NDArray[np.float64]
    pdq: Codes
    quality: npt.NDArray[np.int64]
    turned: Codes
    scene: Codes
    duration: float
    pictures: tuple[AskedImage, ...]
    look: LookOf

    def __len__(self) -> int:
        return len(self.seconds)

    def distinct(self, places: Sequence[int]) -> int:
        """How many different pictures these frames show: a view that stands still is one, however long."""
        shown: list[int] = []
        for place in places:
            apart = (int(np.bitwise_count(self.pdq[place] ^ self.pdq[other]).sum()) for other in shown)
            if all(bits > PDQ_RADIUS for bits in apart):
                shown.append(place)
        return len(shown)


class FrameChecks:
    """Pairs of frames of two videos; what was told for sure is remembered.

    Args:
        asked: the one, with its pictures.
        kept: the other.
    """

    def __init__(self, asked: Frames, kept: Frames) -> None:
        self._asked, self._kept = asked, kept
        self._look = cache(kept.look)
        self._told: dict[tuple[int, int], CopyVerdict | None] = {}
        turns = [_apart(asked.turned[:, turn], kept.pdq) for turn in range(asked.turned.shape[1])]
        self._turn = np.argmin(turns, axis=0)
        self.pdq: npt.NDArray[np.int64] = np.min(turns, axis=0)
        clear = np.minimum(asked.quality[:, None], kept.quality[None]) >= PDQ_QUALITY
        self.sure: Flags = clear & (self.pdq <= PDQ_RADIUS)
        """Shape (n, m): the same picture, turned or mirrored at most."""
        self.near: Flags = (clear & (self.pdq <= PDQ_NEAR)) | self._by_scene()
        """Shape (n, m): worth a look."""

    def same(self, one: int, other: int) -> bool | None:
        """Whether the frames show the same picture; None where nothing is kept to tell it by."""
        if self.sure[one, other]:
            return True
        look = self._look(other)
        if look is None or not self._asked.pictures:
            return None
        if (one, other) not in self._told:
            kept = KeptImage(self._kept.pdq[other].tobytes(), int(self._kept.quality[other]), look)
            self._told[one, other] = compare_images(self._asked.pictures[one], kept)
        return self._told[one, other] is not None

    def turned(self, one: int, other: int) -> bool | None:
        """Whether the one is the other turned or mirrored; None where it is not known to be the same."""
        verdict = self._told.get((one, other))
        if verdict is not None:
            return any(change.startswith(("mirrored", "turned", "flipped")) for change in verdict.changes)
        return bool(self._turn[one, other]) if self.sure[one, other] else None

    def shown(self, pairs: Sequence[tuple[int, int]]) -> tuple[float, float] | None:
        """How much of the one and of the other is in both pictures, in the median of the pairs that were laid over each
        other; None where none was."""
        told = [verdict for pair in pairs if (verdict := self._told.get(pair)) is not None]
        shares = [
            (float(verdict.detail["shown_of_this"]), float(verdict.detail["shown_of_other"]))
            for verdict in told
            if "shown_of_this" in verdict.detail
        ]
        if not shares:
            return None
        this, other = np.median(np.asarray(shares), axis=0).tolist()
        return this, other

    def _by_scene(self) -> Flags:
        one, other = self._asked.scene, self._kept.scene
        apart = [_apart(one[:, i], other[:, j]) for i in range(one.shape[1]) for j in range(other.shape[1])]
        return np.asarray(np.min(apart, axis=0) <= SCENE_NEAR)


def _apart(one: Codes, other: Codes) -> npt.NDArray[np.int64]:
    return np.asarray(np.bitwise_count(one[:, None] ^ other[None]).sum(axis=2), np.int64)


def asked_frames(
    seconds: Sequence[float], pictures: Sequence[AskedImage], scene: Sequence[Sequence[bytes]], duration: float
) -> Frames:
    """Of a video that is asked about.

    Args:
        seconds: when each frame is shown.
        pictures: of each frame.
        scene: the codes of each frame.
        duration: of the video, in seconds.
    """
    turns = len(pictures[0].turned) if pictures else 1
    turned = _array([value for picture in pictures for value in picture.turned], (len(seconds), turns, 32))
    quality = np.asarray([picture.quality for picture in pictures], np.int64)
    codes = _padded(scene)
    return Frames(_times(seconds), turned[:, 0], quality, turned, codes, duration, tuple(pictures), _no_look)


def kept_frames(
    seconds: Sequence[float],
    pdq: Sequence[tuple[bytes, int]],
    scene: Sequence[Sequence[bytes]],
    duration: float,
    look: LookOf,
) -> Frames:
    """Of a video that is compared with.

    Args:
        seconds: when each frame is shown.
        pdq: of each frame, with its quality.
        scene: the codes of each frame.
        duration: of the video, in seconds.
        look: of a frame, by its place.
    """
    codes = _array([value for value, _ in pdq], (len(seconds), 32))
    quality = np.asarray([quality for _, quality in pdq], np.int64)
    return Frames(_times(seconds), codes, quality, codes[:, None], _padded(scene), duration, (), look)


def _no_look(_: int) -> None:
    return None


def _times(seconds: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.asarray(seconds, np.float64)


def _padded(scene: Sequence[Sequence[bytes]]) -> Codes:
    """Frames with fewer codes than others repeat their first."""
    most = max((len(codes) for codes in scene), default=0)
    rows = [[*codes, *([codes[0]] * (most - len(codes)))] for codes in scene]
    return _array([code for codes in rows for code in codes], (len(scene), most, 32))


def _array(values: Sequence[bytes], shape: tuple[int, ...]) -> Codes:
    return np.frombuffer(b"".join(values), np.uint8).reshape(shape)
