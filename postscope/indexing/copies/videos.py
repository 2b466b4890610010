"""Whether one video is a copy of another, or holds a stretch of it: frames that match, in one order, at one offset.

A frame of the one at t matches the other's at speed * t + offset. Every pair of frames that are near by PDQ or by what
they show votes for an offset at each speed (a Hough transform, as in Douze et al. 2010), and the line with the most
frames on it wins. One frame that matches by chance is no copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.copies.verdicts import CopyVerdict

SPEEDS: Final = (1.0, 0.5, 0.67, 0.75, 0.8, 0.9, 0.95, 1.05, 1.1, 1.25, 1.33, 1.5, 1.75, 2.0)
"""The one's seconds times this are the other's: 2 where the one is played at double speed."""
PDQ_NEAR: Final = 40
SCENE_NEAR: Final = 70
SLACK_SECONDS: Final = 1.0
"""How far a frame may be off the line: frames of two copies are not taken at the same moments."""
LEAST_FRAMES: Final = 3
LEAST_SHARE: Final = 0.5
"""Of the frames of the shorter stretch that both could share, how many must match."""

Codes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Fingerprints of a video's frames, in order.

    Attributes:
        seconds: shape (n,), when each is shown.
        pdq: shape (n, 32).
        turned: shape (n, k, 32), PDQ of the turned and mirrored forms, where they are known.
        scene: shape (n, m, 32), codes of what each frame shows.
        duration: of the video, in seconds.
    """

    seconds: npt.NDArray[np.float64]
    pdq: Codes
    turned: Codes
    scene: Codes
    duration: float


@dataclass(frozen=True, slots=True)
class _Line:
    speed: float
    offset: float
    pairs: tuple[tuple[int, int], ...]
    distance: float


def compare_videos(asked: Frames, kept: Frames) -> CopyVerdict | None:
    """Whether ``asked`` shares a stretch with ``kept``; None if not."""
    if not len(asked.seconds) or not len(kept.seconds):
        return None
    plain, by_scene = _near(asked, kept)
    line = _best_line(asked, kept, plain | by_scene)
    if line is None:
        return None
    ones, others = ([pair[side] for pair in line.pairs] for side in (0, 1))
    start, end = float(asked.seconds[min(ones)]), float(asked.seconds[max(ones)])
    other_start, other_end = float(kept.seconds[min(others)]), float(kept.seconds[max(others)])
    shared = _frames_in_reach(asked, kept, line)
    share = min(1.0, len(set(ones)) / max(1, shared))
    few = min(len(asked.seconds), len(kept.seconds))
    if len(set(ones)) < min(LEAST_FRAMES, few) or len(set(others)) < min(LEAST_FRAMES, few) or share < LEAST_SHARE:
        return None
    by_pdq = float(np.mean([plain[pair] for pair in line.pairs]))
    if few < LEAST_FRAMES and by_pdq < 1.0:
        return None  # so few frames must be the same beyond doubt
    return CopyVerdict(
        "video",
        round(min(0.99, 0.5 + 0.3 * share + 0.19 * by_pdq), 4),
        _changes(asked, kept, line, by_pdq, line.speed),
        _changes(kept, asked, line, by_pdq, 1 / line.speed, mirrored=_mirrored(asked, kept, line)),
        {
            "offset_seconds": round(line.offset, 2),
            "speed": line.speed,
            "seconds": [round(start, 2), round(end, 2)],
            "other_seconds": [round(other_start, 2), round(other_end, 2)],
            "frames": len(set(ones)),
            "frames_share": round(share, 3),
        },
    )


def _near(asked: Frames, kept: Frames) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which frames are near, shape (n, m): by PDQ in any turn, and by what they show."""
    turned = asked.turned if asked.turned.shape[1] else asked.pdq[:, None]
    by_pdq = np.min([_apart(turned[:, turn], kept.pdq) for turn in range(turned.shape[1])], axis=0)
    scene = np.full(by_pdq.shape, 256)
    for own in range(asked.scene.shape[1]):
        for other in range(kept.scene.shape[1]):
            scene = np.minimum(scene, _apart(asked.scene[:, own], kept.scene[:, other]))
    return by_pdq <= PDQ_NEAR, scene <= SCENE_NEAR


def _apart(one: Codes, other: Codes) -> npt.NDArray[np.int64]:
    return np.asarray(np.bitwise_count(one[:, None] ^ other[None]).sum(axis=2), np.int64)


def _best_line(asked: Frames, kept: Frames, near: npt.NDArray[np.bool_]) -> _Line | None:
    rows, columns = np.nonzero(near)
    if not len(rows):
        return None
    best: _Line | None = None
    for speed in SPEEDS:
        offsets = kept.seconds[columns] - speed * asked.seconds[rows]
        line = _densest(offsets, rows, columns, speed)
        if best is None or _weight(line) > _weight(best):
            best = line
    return best


def _densest(offsets: npt.NDArray[np.float64], rows: Places, columns: Places, speed: float) -> _Line:
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
    return _Line(speed, float(np.median(offsets[chosen])), pairs, float(np.std(offsets[chosen])))


def _weight(line: _Line) -> tuple[int, float]:
    """More frames on the line are better, then a sharper line; speed 1 comes first and wins where nothing tells."""
    ones, others = {pair[0] for pair in line.pairs}, {pair[1] for pair in line.pairs}
    return min(len(ones), len(others)), -round(line.distance, 2)


def _frames_in_reach(asked: Frames, kept: Frames, line: _Line) -> int:
    """How many frames of the one fall where the other is, by the line; of the other, where that is fewer."""
    there = line.speed * asked.seconds + line.offset
    back = (kept.seconds - line.offset) / line.speed
    own = int(((there >= -SLACK_SECONDS) & (there <= kept.duration + SLACK_SECONDS)).sum())
    others = int(((back >= -SLACK_SECONDS) & (back <= asked.duration + SLACK_SECONDS)).sum())
    return min(own, others)


def _changes(
    this: Frames, other: Frames, line: _Line, by_pdq: float, speed: float, *, mirrored: bool | None = None
) -> tuple[str, ...]:
    changes = []
    if speed != 1.0:
        changes.append(f"played at {speed:.2g} times the speed")
    if this.duration * speed < 0.9 * other.duration:
        changes.append("trimmed")
    elif this.duration * speed > 1.1 * other.duration:
        changes.append("longer: other material around it")
    if _mirrored(this, other, line) if mirrored is None else mirrored:
        changes.append("turned or mirrored")
    elif by_pdq < 0.5:
        changes.append("cropped, framed or covered")
    return tuple(changes)


def _mirrored(asked: Frames, kept: Frames, line: _Line) -> bool:
    if asked.turned.shape[1] < 2:
        return False
    votes = 0
    for one, other in line.pairs:
        apart = _apart(asked.turned[one], kept.pdq[[other]])[:, 0]
        votes += int(apart[0] > PDQ_NEAR >= apart.min())
    return votes * 2 > len(line.pairs)


def frames_of(seconds: Sequence[float], pdq: Sequence[bytes], scene: Sequence[Sequence[bytes]], duration: float,
              turned: Sequence[Sequence[bytes]] = ()) -> Frames:  # fmt: skip
    """From the values that are kept. Frames with fewer codes than others repeat their first."""
    count = len(seconds)
    most = max((len(codes) for codes in scene), default=0)
    padded = [[*codes, *([codes[0]] * (most - len(codes)))] for codes in scene]
    turns = len(turned[0]) if turned else 0
    return Frames(
        np.asarray(seconds, np.float64),
        _array(pdq, (count, 32)),
        _array([value for values in turned for value in values], (count, turns, 32)),
        _array([code for codes in padded for code in codes], (count, most, 32)),
        duration,
    )


def _array(values: Sequence[bytes], shape: tuple[int, ...]) -> Codes:
    return np.frombuffer(b"".join(values), np.uint8).reshape(shape)
