"""Frames of a video or animation: decoded as a stream, chosen as they go by, made small at once."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from postscope.indexing.media.decoding.container import Opened, decoded, first, opened
from postscope.indexing.media.decoding.sampling import Kept, Sampler, Thumbnail
from postscope.indexing.media.errors import CorruptMedia, TooLong, TooManyPixels, TooSlow
from postscope.indexing.media.image import animation_frames

_THUMBNAIL: Final = 24
_QUALITY: Final = 85
_LONGEST: Final = 4
"""Long side, in short sides, that a kept frame may have; a longer one is made smaller."""

_KEYFRAMES_FROM: Final = 8.0
"""Seconds between regular frames from which those that need no others are decoded alone: many times as fast, and in
what is on the web they come more often than that, and wherever a scene begins."""

_SCALING: Final = 0x20 | 0x40000  # SWS_AREA, accurate rounding


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """What a video may cost.

    Attributes:
        most: frames that are kept.
        every: seconds between regular frames, at most, as long as that is not more than ``most``.
        max_pixels: of a frame.
        max_duration: seconds that it may play.
        short_side: of the kept pictures, in pixels.
        seconds: for all of it; what was chosen until then is kept.
        threads: that decode.
    """

    most: int
    every: float
    max_pixels: int
    max_duration: float
    short_side: int
    seconds: float
    threads: int


@dataclass(frozen=True, slots=True)
class Frames:
    """What was kept of a video, with small JPEGs.

    Attributes:
        problem: code of what was wrong on the way, None where all of it was decoded.
        duration: in seconds.
        width: as shown, in pixels.
        height: as shown.
    """

    kept: list[Kept[bytes]]
    problem: str | None
    duration: float
    width: int
    height: int


def video_frames(file: int, limits: FrameLimits) -> Frames:
    """Frames of the video in this file.

    Raises:
        MediaError: there is not one, and why.
    """
    ends = time.monotonic() + limits.seconds
    with opened(file) as source:
        stream = first(source, "video")
        _check(stream.width, stream.height, source.duration, limits)
        return _sample(_moving(source, stream, limits), source.duration, limits, ends)


def animated_frames(file: int, limits: FrameLimits) -> Frames:
    """Frames of the animation (GIF, WebP, APNG) in this file.

    Raises:
        MediaError: there is not one, and why.
    """
    ends = time.monotonic() + limits.seconds
    with open(file, "rb", closefd=False) as stream:
        stream.seek(0)
        data = stream.read()
    pictures = animation_frames(data, max_pixels=limits.max_pixels, target=limits.short_side, max_bytes=len(data))
    return _sample(((seconds, _Still(picture)) for seconds, picture in pictures), None, limits, ends)


class _Still:
    """A frame that is a picture already."""

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture
        self.size = picture.size

    def thumbnail(self) -> Thumbnail:
        return np.asarray(self._picture.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX))

    def picture(self, short_side: int) -> Image.Image:
        return self._picture.resize(_fitting(*self._picture.size, short_side), Image.Resampling.LANCZOS)


class _Moving:
    """A frame as it comes from the decoder: scaled by it, so that little is copied."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self._turn = round(frame.rotation / 90) % 4
        self.size = (frame.width, frame.height) if self._turn % 2 == 0 else (frame.height, frame.width)

    def thumbnail(self) -> Thumbnail:
        return np.asarray(self._scaled(_THUMBNAIL, _THUMBNAIL))

    def picture(self, short_side: int) -> Image.Image:
        picture = Image.fromarray(self._scaled(*_fitting(self._frame.width, self._frame.height, short_side)))
        turns = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
        turn = turns[self._turn]
        return picture if turn is None else picture.transpose(turn)

    def _scaled(self, width: int, height: int) -> Any:
        return self._frame.reformat(width, height, "rgb24", interpolation=_SCALING).to_ndarray()


def _moving(source: Opened, stream: Any, limits: FrameLimits) -> Iterator[tuple[float, _Moving]]:
    stream.thread_type, stream.codec_context.thread_count = "AUTO", limits.threads
    if (source.duration or 0.0) / limits.most >= _KEYFRAMES_FROM:
        stream.codec_context.skip_frame = "NONKEY"
    start = float((stream.start_time or 0) * stream.time_base) if stream.time_base else 0.0
    rate = float(stream.average_rate or 25)
    problems: list[str] = []
    for number, frame in enumerate(decoded(source, stream, problems)):
        seconds = number / rate if frame.time is None else frame.time - start
        yield max(seconds, 0.0), _Moving(frame)
    if problems:
        raise _Incomplete(problems[0])


class _Incomplete(Exception):
    """There would be more, but it cannot be had; the argument is the code."""


def _sample(
    frames: Iterator[tuple[float, _Moving]] | Iterator[tuple[float, _Still]],
    duration: float | None,
    limits: FrameLimits,
    ends: float,
) -> Frames:
    sampler: Sampler[bytes] = Sampler(most=limits.most, every=limits.every, duration=duration)
    last, size, problem = -1.0, (0, 0), None
    try:
        for seconds, frame in frames:
            # The first frame counts however long it took, so that a busy machine is no broken video.
            _check_time(seconds, limits.max_duration, ends if last >= 0 else math.inf)
            _check(frame.size[0], frame.size[1], None, limits)
            last, size = max(last, seconds), frame.size
            if not sampler.wants(seconds):
                continue
            scene = sampler.chooses(seconds, frame.thumbnail())
            if scene is not None:
                sampler.keep(seconds, _jpeg(frame.picture(limits.short_side)), scene=scene)
    except _Incomplete as end:
        problem = str(end)
    except CorruptMedia:
        problem = "corrupt"
    kept = sampler.result()
    if not kept:
        raise CorruptMedia("not one frame of it can be decoded")
    return Frames(kept, problem, max(duration or 0.0, last), *size)


def _check_time(seconds: float, max_duration: float, ends: float) -> None:
    if seconds > max_duration:
        raise _Incomplete(TooLong.code)
    if time.monotonic() > ends:
        raise _Incomplete(TooSlow.code)


def _check(width: int, height: int, duration: float | None, limits: FrameLimits) -> None:
    if width * height > limits.max_pixels:
        raise TooManyPixels(f"its frames have {width} x {height} pixels; the limit is {limits.max_pixels:,}")
    if duration is not None and duration > limits.max_duration:
        raise TooLong(f"it plays for {duration:.0f} seconds; the limit is {limits.max_duration:.0f}")


def _fitting(width: int, height: int, short_side: int) -> tuple[int, int]:
    scale = min(1.0, short_side / min(width, height), short_side * _LONGEST / max(width, height))
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
