"""Whether one sound is a copy of another, or holds a stretch of it: bits that agree, in one order, at one offset.

Each speed, with and without the pitch that goes with it, is tried: the offsets at which the most bits agree come from
one cross-correlation, and the longest stretch that agrees along the best of them is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.copies.verdicts import CopyVerdict
from postscope.indexing.sound_prints import BITS, FRAMES_A_SECOND, Bits, SoundPrint

TRACK: Final = "sound_track"
"""All bits of a sound, to tell copies by: ``SoundPrint.pack``."""
KIND: Final = "sound"
"""Codes of stretches of two seconds: 256 bits, to find candidates by."""
RADIUS: Final = 88
"""Bits that the codes of candidates may differ in."""
LEAST_ROWS: Final = 12
"""Of a stretch that tell something: a second and a half."""
LEAST_SHARE: Final = 0.5
"""Of the shorter sound, how much must be in the other. A jingle at the beginning of two programmes makes no copies."""
LEAST_WEIGHT: Final = 5.0
"""Rows of a stretch times what each agrees above 0.24: a short stretch must agree better than a long one. Of 600 pairs
of different sounds none had more than 3.8."""
LEAST_AGREEMENT: Final = 0.36
"""Of the bits of a stretch: agreeing less disagreeing; by chance it is near 0."""

_STEP: Final = 0.24
_OFFSETS_TRIED: Final = 3
_SPAN: Final = 16
_CODE_BANDS: Final = np.arange(1, BITS, 3)
_CODES_A_SECOND: Final = 1
_MOST_CODES: Final = 600
_PLACES_ASKED: Final = 4
_MOST_PLACES: Final = 24
_PLACE_EVERY: Final = 4 * FRAMES_A_SECOND
_ASKED_AS: Final = ((1.0, 0), (0.944, -1), (1.059, 1), (0.891, -2), (1.122, 2), (0.8, 0), (1.25, 0))
"""Speed and semitones at which the codes of others are looked up."""
_SURE: Final = 0.6

Signs = npt.NDArray[np.float32]
Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Rows of the asked sound, as played at the other's speed, that agree with the other's rows ``offset`` later."""

    speed: float
    semitones: int
    offset: int
    start: int
    end: int
    agreement: float
    weight: float


def _speeds() -> Iterator[tuple[float, int]]:
    """Speed, and by how many semitones the asked sound is higher; plain ones first."""
    yield 1.0, 0
    for step in range(1, 9):
        for speed in (1.03**step, 1.03**-step):
            yield speed, 0
            yield speed, round(12 * np.log2(speed))
    yield from ((speed, 0) for speed in (1.33, 0.75, 1.5, 0.67, 2.0, 0.5))


def compare_sounds(asked: SoundPrint, kept: SoundPrint) -> CopyVerdict | None:
    """Whether ``asked`` shares a stretch with ``kept``; None if not.

    ``offset_seconds`` and ``speed`` of the detail: what is at t in the one is at speed * t + offset in the other.
    """
    best: _Stretch | None = None
    other = _signs(kept)
    for speed, semitones in dict.fromkeys(_speeds()):
        best = _better(best, _best_stretch(_played(_signs(asked), speed, semitones), other, speed, semitones))
        if best is not None and best.agreement >= _SURE and _share(best, asked, kept) >= 0.9:
            break
    if best is None:
        return None
    near, semitones = best.speed, best.semitones
    for step in range(-6, 7):
        speed = near + step / 200
        finer = _best_stretch(_played(_signs(asked), speed, semitones), other, speed, semitones)
        best = _better(best, finer) or best
    share = _share(best, asked, kept)
    if share < LEAST_SHARE or best.agreement < LEAST_AGREEMENT or best.weight < LEAST_WEIGHT:
        return None
    return _verdict(best, asked, kept, share)


def kept_codes(sound: SoundPrint) -> list[tuple[float, bytes]]:
    """Second and code of stretches that others find this sound by: one a second, fewer in a long sound."""
    step = FRAMES_A_SECOND // _CODES_A_SECOND
    step *= -(-len(sound.bits) // (step * _MOST_CODES))
    places = _telling(sound)[::step]
    codes = _codes(sound.bits, places)
    return [(int(place) / FRAMES_A_SECOND, code) for place, code in zip(places, codes, strict=True)]


def asked_codes(sound: SoundPrint) -> list[bytes]:
    """Codes to look others up by: of a few places, at each of the moments that another's may be of, at some speeds."""
    found: dict[bytes, None] = {}
    for number, (speed, semitones) in enumerate(_ASKED_AS):
        played = _played(_signs(sound), speed, semitones)
        warped = SoundPrint(played > 0, _tells(played))
        places = _telling(warped)
        if not len(places):
            continue
        # As it is, a sound is asked about in more places: only some of it may be another's.
        most = _PLACES_ASKED if number else int(np.clip(len(places) // _PLACE_EVERY, _PLACES_ASKED, _MOST_PLACES))
        firsts = np.linspace(0, max(0, len(places) - FRAMES_A_SECOND), most).astype(int)
        chosen = np.unique(np.concatenate([places[first : first + FRAMES_A_SECOND] for first in firsts]))
        found |= dict.fromkeys(_codes(warped.bits, chosen))
    return list(found)


def _telling(sound: SoundPrint) -> Codes:
    """Rows at which a stretch begins of which most tells something."""
    if len(sound.told) < _SPAN:
        return np.zeros(0, np.intp)
    told = np.convolve(sound.told, np.ones(_SPAN), "valid")
    return np.flatnonzero(told >= 0.75 * _SPAN)


def _codes(bits: npt.NDArray[np.bool_], places: Codes) -> list[bytes]:
    return [np.packbits(bits[place : place + _SPAN, _CODE_BANDS]).tobytes() for place in places]


def _signs(sound: SoundPrint) -> Signs:
    """1 and -1 for the bits; 0 where they tell nothing."""
    return np.where(sound.bits, 1.0, -1.0).astype(np.float32) * sound.told[:, None]


def _tells(signs: Signs) -> Bits:
    return np.asarray(signs.any(axis=1), np.bool_)


def _played(signs: Signs, speed: float, semitones: int) -> Signs:
    """The rows as they would be, were the sound slowed down by ``speed`` and made lower by ``semitones``."""
    rows = np.minimum(np.round(np.arange(int(len(signs) * speed)) / speed).astype(int), len(signs) - 1)
    played = np.zeros((len(rows), BITS), np.float32)
    low, high = max(0, -semitones), BITS - max(0, semitones)
    played[:, low:high] = signs[rows, low + semitones : high + semitones]
    return played


def _best_stretch(played: Signs, other: Signs, speed: float, semitones: int) -> _Stretch | None:
    best: _Stretch | None = None
    for offset in _offsets(played, other):
        start, end = max(0, -offset), min(len(played), len(other) - offset)
        agreement = (played[start:end] * other[start + offset : end + offset]).sum(axis=1) / (BITS - abs(semitones))
        both = _tells(played[start:end]) & _tells(other[start + offset : end + offset])
        first, last = _densest(np.where(both, agreement - _STEP, 0.0))
        if both[first:last].sum() < LEAST_ROWS:
            continue
        inside = agreement[first:last][both[first:last]]
        weight = float((inside - _STEP).sum())
        mean = float(inside.mean())
        best = _better(best, _Stretch(speed, semitones, offset, start + first, start + last, mean, weight))
    return best


def _offsets(played: Signs, other: Signs) -> list[int]:
    """At which the most bits agree, for the length of what overlaps."""
    from scipy import fft

    if not len(played):
        return []
    size = fft.next_fast_len(len(played) + len(other), real=True)
    one, two = (fft.rfft(signs[:, _CODE_BANDS], size, axis=0) for signs in (played, other))
    sums = fft.irfft((two * np.conj(one)).sum(axis=1), size)
    offsets = np.arange(-len(played) + 1, len(other))
    overlap = np.minimum(len(played), len(other) - offsets) - np.maximum(0, -offsets)
    least = min(2 * LEAST_ROWS, len(played), len(other))
    strength = np.where(overlap >= least, sums[offsets] / np.sqrt(np.maximum(overlap, 1)), -np.inf)
    return [int(offset) for offset in offsets[np.argsort(-strength, kind="stable")[:_OFFSETS_TRIED]]]


def _densest(gains: npt.NDArray[Any]) -> tuple[int, int]:
    """The run with the largest sum (Kadane 1984): its first row, and the one after its last."""
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    lows = np.minimum.accumulate(sums)
    end = int(np.argmax(sums - lows))
    return int(np.flatnonzero(sums[: end + 1] == lows[end])[-1]), end


def _better(one: _Stretch | None, other: _Stretch | None) -> _Stretch | None:
    """The one with more behind it; the first where they are equal."""
    if one is None or other is None:
        return one or other
    return other if other.weight > one.weight * 1.001 else one


def _share(stretch: _Stretch, asked: SoundPrint, kept: SoundPrint) -> float:
    """Of what the shorter sound tells, how much is in the stretch."""
    rows = np.minimum(np.round(np.arange(stretch.start, stretch.end) / stretch.speed).astype(int), len(asked.told) - 1)
    own = asked.told[np.unique(rows)].sum() / max(1, asked.told.sum())
    others = kept.told[stretch.start + stretch.offset : stretch.end + stretch.offset].sum() / max(1, kept.told.sum())
    return float(max(own, others))


def _verdict(stretch: _Stretch, asked: SoundPrint, kept: SoundPrint, share: float) -> CopyVerdict:
    speed = round(stretch.speed, 3)
    start, end = (row / FRAMES_A_SECOND for row in (stretch.start, stretch.end))
    offset = stretch.offset / FRAMES_A_SECOND
    return CopyVerdict(
        "audio",
        round(min(0.99, 0.5 + 0.2 * share + 0.29 * stretch.agreement), 4),
        _changes(asked.seconds * speed, kept.seconds, speed, stretch.semitones),
        _changes(kept.seconds, asked.seconds * speed, 1 / speed, -stretch.semitones),
        {
            "offset_seconds": round(offset, 2),
            "speed": speed,
            "seconds": [round(start / speed, 2), round(end / speed, 2)],
            "other_seconds": [round(start + offset, 2), round(end + offset, 2)],
            "matched_seconds": round(end - start, 2),
            "matched_share": round(share, 3),
            "agreement": round(stretch.agreement, 3),
        },
    )


def _changes(length: float, other: float, speed: float, semitones: int) -> tuple[str, ...]:
    changes = []
    if abs(speed - 1) > 0.008:
        changes.append(f"played at {speed:.2f} times the speed")
    if abs(semitones) > 0 and abs(semitones - 12 * np.log2(speed)) > 1:
        changes.append("made higher" if semitones > 0 else "made lower")
    if length < 0.9 * other:
        changes.append("trimmed")
    elif length > 1.1 * other:
        changes.append("longer: other material around it")
    return tuple(changes)
