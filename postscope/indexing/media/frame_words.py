"""Words in the frames of a video: each line once, with the time for which it stands.

A frame that looks like the one read before it is not read again, and a line that was misread by a letter or two in
one frame is still the same line.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from postscope.indexing.media.errors import MediaError, TooSlow
from postscope.indexing.media.parts import Box, Frame, PictureReader, Written

GRID: Final = 32
"""A frame is compared as so many by so many averages."""
SAME_PICTURE: Final = 6.0
"""Largest difference of any average (of 255) up to which two frames say the same: compression stays below, a changed
line of subtitles does not."""
SAME_LINE: Final = 0.8
"""Share of equal letters from which two readings are one line."""


@dataclass(slots=True)
class _Line:
    text: str
    box: Box
    confidence: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class FrameWords:
    """What is written in a video.

    Attributes:
        written: texts in the order in which they appear; lines that come and go together are one text. ``start`` is
            the time of the first frame that shows it, ``end`` that of the last.
        problem: why some frames were not read; None where all were.
        read: how many were, those that look like the one before included.
    """

    written: list[Written]
    problem: MediaError | None
    read: int


def read_frames(reader: PictureReader, frames: Sequence[Frame], *, ends: float = math.inf) -> FrameWords:
    """Read a video. A frame that cannot be read hides no other.

    Args:
        reader: of single pictures.
        frames: in the order of time.
        ends: second of the monotonic clock after which no further frame is begun.
    """
    problems: list[MediaError] = []
    read = 0
    lines: list[_Line] = []
    showing: list[_Line] = []
    for frame, written in _readings(reader, frames, ends, problems):
        read += 1
        now: list[_Line] = []
        for text, box, confidence in _lines(written):
            line = next((line for line in showing if line not in now and _same(line.text, text)), None)
            if line is None:
                line = _Line(text, box, confidence, frame.seconds, frame.seconds)
                lines.append(line)
            elif confidence > line.confidence:
                line.text, line.box, line.confidence = text, box, confidence
            line.end = frame.seconds
            now.append(line)
        showing = now
    return FrameWords(_together(lines), problems[0] if problems else None, read)


def _readings(
    reader: PictureReader, frames: Sequence[Frame], ends: float, problems: list[MediaError]
) -> Iterator[tuple[Frame, list[Written]]]:
    before: npt.NDArray[np.float32] | None = None
    written: list[Written] = []
    for frame in frames:
        look = _look(frame.image)
        if before is None or float(np.abs(look - before).max()) > SAME_PICTURE:
            if time.monotonic() > ends:
                problems.append(TooSlow("the time for it was over before its end"))
                return
            try:
                (written,) = reader.read([frame.image])
            except MediaError as error:
                problems.append(error)
                continue
            before = look
        yield frame, written


def _look(image: Image.Image) -> npt.NDArray[np.float32]:
    """Shape (GRID, GRID), 0 to 255."""
    return np.asarray(image.convert("L").resize((GRID, GRID), Image.Resampling.BOX), dtype=np.float32)


def _lines(written: Sequence[Written]) -> Iterator[tuple[str, Box, float]]:
    for text in written:
        for line, box in zip(text.text.split("\n"), text.boxes, strict=True):
            yield line, box, text.confidence


def _same(one: str, other: str) -> bool:
    one, other = one.casefold(), other.casefold()
    if one == other:
        return True
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.quick_ratio() >= SAME_LINE and matcher.ratio() >= SAME_LINE


def _together(lines: Sequence[_Line]) -> list[Written]:
    groups: dict[tuple[float, float], list[_Line]] = {}
    for line in lines:
        groups.setdefault((line.start, line.end), []).append(line)
    return [
        Written(
            text="\n".join(line.text for line in group),
            boxes=tuple(line.box for line in group),
            start=start,
            end=end,
            confidence=float(
                np.average([line.confidence for line in group], weights=[len(line.text) for line in group])
            ),
        )
        for (start, end), group in sorted(groups.items())
    ]
