"""The sound of a file, as speech recognition takes it: 16,000 samples a second, one channel, 16 bits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from postscope.indexing.media.decoding.container import decoded, first, opened
from postscope.indexing.media.errors import CorruptMedia, TooLong, TooSlow

RATE: Final = 16_000
"""Samples a second."""

_PIECE: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class SoundLimits:
    """What a sound may cost.

    Attributes:
        max_duration: seconds that it may play.
        seconds: for decoding; what there is until then is given.
    """

    max_duration: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Sound:
    """How it ended: ``problem`` is the code of what was wrong on the way; ``duration`` in seconds of what there is."""

    problem: str | None
    duration: float


def decode_sound(file: int, limits: SoundLimits, emit: Callable[[bytes], None]) -> Sound:
    """Decode the first sound track, and emit its samples piece by piece: signed, 16 bits, in the machine's order.

    Raises:
        MediaError: there is nothing to be heard in it, and why.
    """
    ends, problems, size, waiting = time.monotonic() + limits.seconds, list[str](), 0, bytearray()
    most = int(limits.max_duration * RATE * 2)
    with opened(file) as source:
        stream = first(source, "audio")
        if source.duration is not None and source.duration > limits.max_duration:
            raise TooLong(f"it plays for {source.duration:.0f} seconds; the limit is {limits.max_duration:.0f}")
        for piece in _resampled(decoded(source, stream, problems)):
            waiting += piece
            size += len(piece)
            if size > most:
                problems[:] = [TooLong.code]
                break
            if time.monotonic() > ends:
                problems[:] = [TooSlow.code]
                break
            if len(waiting) >= _PIECE:
                emit(bytes(waiting))
                waiting.clear()
    if waiting:
        emit(bytes(waiting))
    if not size:
        raise CorruptMedia("not one sample of its sound can be decoded")
    return Sound(problems[0] if problems else None, size / 2 / RATE)


def _resampled(frames: Iterator[Any]) -> Iterator[bytes]:
    import av

    resampler: Any = None
    layout: tuple[Any, ...] = ()
    for frame in frames:
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != layout:  # a stream may change on the way, and the resampler of the first part would refuse
            resampler, layout = av.AudioResampler(format="s16", layout="mono", rate=RATE), now
        frame.pts = None
        for part in resampler.resample(frame):
            yield part.to_ndarray().tobytes()
    if resampler is not None:
        for part in resampler.resample(None):
            yield part.to_ndarray().tobytes()
