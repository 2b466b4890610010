"""Whether one video is a copy of another, or holds a stretch of it: frames that match, in one order, at one offset.

Frames that are near give a line of speed and offset (``lines``); then frames on it must be the same for sure
(``frames``), as scenes of one kind are near each other in any two videos. A frame or two are no copy, nor is a view
that stands still for a while, such as a title card: it counts as one picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from postscope.indexing.copies.frames import PDQ_NEAR, FrameChecks, Frames
from postscope.indexing.copies.lines import Line, best_line
from postscope.indexing.copies.verdicts import CopyVerdict

LEAST_FRAMES: Final = 3
LEAST_SHARE: Final = 0.5
"""Of the frames of the shorter stretch that both could share, how many must match."""
LEAST_COVER: Final = 0.3
"""Of all frames of the shorter video, how many must match: an end that is the other's beginning makes no copy."""
SURE_SHARE: Final = 0.5
"""Of the frames that were looked at, how many must be the same for sure."""
MOST_LOOKED_AT: Final = 8
"""Frames on a line that are looked at, spread over it."""
MOST_LINES: Final = 3
_WHOLE: Final = 0.75
_CUT: Final = 0.85
"""Below this part of what is to be seen of the other's pictures, the one's are cut, and the other way round."""


def compare_videos(asked: Frames, kept: Frames) -> CopyVerdict | None:
    """Whether ``asked`` shares a stretch with ``kept``, or shows the same picture all the time; None if not.

    A still picture is a video of one frame and no duration.
    """
    few = min(len(asked), len(kept))
    if not few:
        return None
    checks = FrameChecks(asked, kept)
    if few == 1:
        return _verdict(asked, kept, _standing(checks), checks)
    # Frames that PDQ is sure of tell the offset best; where they are too few, all that are near.
    by_pdq = best_line(asked, kept, checks.sure)
    near = checks.near
    for attempt in range(MOST_LINES):
        line = by_pdq.with_all(asked, kept, near) if by_pdq and not attempt else best_line(asked, kept, near)
        if line is None or line.frames < min(LEAST_FRAMES, few):
            return None
        same, refuted = _look_at(checks, line, asked, kept)
        if same >= min(LEAST_FRAMES, few) and same >= SURE_SHARE * (same + len(refuted)):
            return _verdict(asked, kept, line.without(refuted), checks)
        if not refuted:
            return None  # what is kept does not tell for sure
        near = near.copy()
        near[tuple(np.array(refuted).T)] = False  # perhaps there is another line
    return None


def _look_at(checks: FrameChecks, line: Line, asked: Frames, kept: Frames) -> tuple[int, list[tuple[int, int]]]:
    """Of frames spread over a line, how many are the same for sure, and which pairs are not."""
    pairs = [(one, other) for other, one in line.closest(asked, kept).items()]
    doubtful = [pair for pair in pairs if not checks.sure[pair]]
    told = {pair: checks.same(*pair) for pair in _spread(doubtful, MOST_LOOKED_AT)}
    same = len(pairs) - len(doubtful) + sum(told[pair] is True for pair in told)
    return same, [pair for pair in told if told[pair] is False]


def _standing(checks: FrameChecks) -> Line:
    """Of a single frame and those of the other video that are the same; a few of these are looked at."""
    pairs = [(int(one), int(other)) for one, other in zip(*np.nonzero(checks.near), strict=True)]
    if len(pairs) < LEAST_SHARE * checks.near.size:
        return Line(1.0, 0.0, (), 0.0)
    looked_at = _spread(pairs, MOST_LOOKED_AT)
    refuted = [pair for pair in looked_at if not checks.same(*pair)]
    wrong = len(refuted) > (1 - SURE_SHARE) * len(looked_at)
    return Line(1.0, 0.0, () if wrong else tuple(pairs), 0.0).without(refuted)


def _spread(pairs: Sequence[tuple[int, int]], most: int) -> Sequence[tuple[int, int]]:
    return [pairs[place * len(pairs) // most] for place in range(most)] if len(pairs) > most else pairs


def _verdict(asked: Frames, kept: Frames, line: Line, checks: FrameChecks) -> CopyVerdict | None:
    """None where too little of what both could share does match."""
    ones, others, few = line.ones, line.others, min(len(asked), len(kept))
    if line.frames < min(LEAST_FRAMES, few):
        return None
    # A view that stands still fits at any offset: what matches has to be much of the whole.
    moving = min(asked.distinct(ones), kept.distinct(others)) > 1
    matched = len(ones) if few > 1 else max(len(ones), len(others))
    shared = line.in_reach(asked, kept) if moving else few if few > 1 else max(len(asked), len(kept))
    share = min(1.0, matched / max(1, shared))
    cover = line.frames / few
    if share < LEAST_SHARE or cover < LEAST_COVER:
        return None
    turned = [told for pair in line.pairs if (told := checks.turned(*pair)) is not None]
    flipped = sum(turned) * 2 > len(turned)
    by_pdq = float(np.mean([checks.pdq[pair] <= PDQ_NEAR for pair in line.pairs]))
    # where PDQ is near there is nothing to be told of the frame; both None: nothing is known
    inside = (1.0, 1.0) if by_pdq >= 0.5 else checks.shown(line.pairs)
    of_asked, of_kept = len(ones) / len(asked), len(others) / len(kept)
    return CopyVerdict(
        "video",
        round(min(0.99, 0.5 + 0.3 * share + 0.19 * by_pdq), 4),
        _changes(asked, kept, line.speed, (of_asked, of_kept), _framing(inside), flipped),
        _changes(kept, asked, 1 / line.speed, (of_kept, of_asked), _framing(inside and inside[::-1]), flipped),
        {
            "offset_seconds": round(line.offset, 2),
            "speed": line.speed,
            "seconds": _stretch(asked, ones),
            "other_seconds": _stretch(kept, others),
            "frames": len(ones),
            "frames_share": round(share, 3),
            "shown_of_this": round(of_asked, 3),
            "shown_of_other": round(of_kept, 3),
        },
    )


def _stretch(frames: Frames, places: Sequence[int]) -> list[float]:
    return [round(float(frames.seconds[places[place]]), 2) for place in (0, -1)]


def _changes(
    this: Frames, other: Frames, speed: float, shown: tuple[float, float], framing: Sequence[str], flipped: bool
) -> tuple[str, ...]:
    """What was done to the other to get this one.

    Args:
        this: the one.
        other: the other.
        speed: of this in that of the other.
        shown: share of the frames of each that match.
        framing: what was done to each picture.
        flipped: the one is the other turned or mirrored.
    """
    changes = [f"played at {speed:.2g} times the speed"] if speed != 1.0 else []
    if not this.duration or not other.duration:
        changes += ["a still picture of it"] if other.duration else ["shown as a video"] if this.duration else []
    elif max(shown) < _WHOLE:
        changes.append(f"shares {100 * shown[0]:.0f}% of it")
    elif this.duration * speed < 0.9 * other.duration:
        changes.append("trimmed")
    elif this.duration * speed > 1.1 * other.duration:
        changes.append("longer: other material around it")
    if flipped:
        changes.append("turned or mirrored")
    return (*changes, *framing)


def _framing(inside: tuple[float, float] | None) -> tuple[str, ...]:
    """What was done to the other's pictures, by how much of this one's and of the other's is in both. A view that moves
    is caught at other moments, so a little is lacking on either side."""
    if inside is None:
        return ("cropped, framed or covered",)
    this, other = inside
    if other < _CUT * this:
        return ("cropped",)
    return ("set in a frame, border or caption",) if this < _CUT * other else ()
