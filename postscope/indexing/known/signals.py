"""Hashes of known content as they are written, as they are kept, and how near is near enough.

Written as Meta's ``threatexchange`` writes them: PDQ, MD5 and SHA-256 in lower-case hexadecimal, vPDQ as a JSON list of
``"<pdq>,<quality>,<seconds>"``. A frame is kept in 37 bytes: PDQ, quality, milliseconds.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from postscope.indexing.fingerprints import PDQ_QUALITY, PDQ_RADIUS

Kind = Literal[
    "pdq", "vpdq", "md5", "sha256", "text", "shingles", "scene", "look", "sound", "sound_track", "vector"
]  # fmt: skip
ThresholdKind = Literal["pdq", "vpdq", "text", "look_alike"]

UNRELATED_BITS: Final = 128
"""Bits in which two unrelated fingerprints of 256 bits differ."""
DEFAULTS: Final[Mapping[ThresholdKind, float]] = {"pdq": PDQ_RADIUS, "vpdq": 0.8, "text": 0.6, "look_alike": 0.9}
"""PDQ: at most so many bits apart. vPDQ: at least so large a share of frames. Text: at least so alike. Look-alikes: at
least so relevant, as the calibration of the space tells it."""
LIMITS: Final[Mapping[ThresholdKind, tuple[float, float]]] = {
    "pdq": (0, 64),
    "vpdq": (0.1, 1),
    "text": (0.5, 1),
    "look_alike": (0.5, 1),
}
MOST_FRAMES: Final = 20_000

_HEX: Final[Mapping[str, int]] = {"pdq": 64, "md5": 32, "sha256": 64, "text_hash": 64}
_DIGITS: Final = re.compile(r"[0-9a-f]+")
_FRAME: Final = struct.Struct("<32sBI")


class BadSignal(ValueError):
    """A hash that is none; the message says why, without repeating it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a video: its PDQ (32 bytes), the quality of that (0 to 100), and where it is."""

    pdq: bytes
    quality: int
    seconds: float


def parse_hash(kind: str, written: str) -> bytes:
    """The bytes of a hexadecimal hash: ``pdq``, ``md5``, ``sha256`` or ``text_hash`` (SHA-256 of a text's words).

    Raises:
        BadSignal: it has another length, or is no hexadecimal number.
    """
    digits = written.strip().lower()
    if len(digits) != _HEX[kind]:
        raise BadSignal(f"a {kind} has {_HEX[kind]} hexadecimal digits, not {len(digits)}")
    if not _DIGITS.fullmatch(digits):
        raise BadSignal(f"a {kind} has hexadecimal digits alone")
    return bytes.fromhex(digits)


def parse_vpdq(written: str) -> bytes:
    """Packed frames of a vPDQ as ``threatexchange`` writes it.

    Raises:
        BadSignal: it is no list of frames, has none or too many, or a frame is wrong; the message names it.
    """
    try:
        listed = orjson.loads(written)
    except orjson.JSONDecodeError as error:
        raise BadSignal("a vpdq is a JSON list of frames") from error
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_FRAMES:
        raise BadSignal(f"a vpdq is a JSON list of 1 to {MOST_FRAMES} frames")
    return pack_frames(_frame(number, item) for number, item in enumerate(listed))


def write_vpdq(packed: bytes) -> str:
    """The vPDQ of packed frames, as ``threatexchange`` reads it."""
    # not in scientific notation, which "{:.3}" of threatexchange would give from 1,000 seconds on
    listed = [f"{frame.pdq.hex()},{frame.quality},{frame.seconds:.3f}" for frame in unpack_frames(packed)]
    return orjson.dumps(listed).decode()


def pack_frames(frames: Iterable[Frame]) -> bytes:
    """37 bytes a frame."""
    return b"".join(_FRAME.pack(frame.pdq, frame.quality, round(frame.seconds * 1000)) for frame in frames)


def unpack_frames(packed: bytes) -> list[Frame]:
    """What ``pack_frames`` packed.

    Raises:
        BadSignal: the length is not that of whole frames.
    """
    if len(packed) % _FRAME.size:
        raise BadSignal("packed frames end in the middle of one")
    return [Frame(pdq, quality, millis / 1000) for pdq, quality, millis in _FRAME.iter_unpack(packed)]


def distinct_frames(packed: bytes) -> list[bytes]:
    """PDQs of the frames that say enough to be compared, each once, in order: as vPDQ compares them."""
    return list(dict.fromkeys(frame.pdq for frame in unpack_frames(packed) if frame.quality >= PDQ_QUALITY))


def bits_score(distance: float) -> float:
    """1 for equal fingerprints of 256 bits, 0 for unrelated ones; of texts it is their resemblance."""
    return max(0.0, 1.0 - distance / UNRELATED_BITS)


def text_bits(resemblance: float) -> int:
    """How many bits apart the shingles of two texts of this resemblance are at most."""
    return math.floor(UNRELATED_BITS * (1.0 - resemblance) + 1e-9)


def check_thresholds(given: Mapping[str, float]) -> Sequence[tuple[str, str]]:
    """Problems of thresholds by kind: (kind, reason) each; none when all is well."""
    problems = []
    limits = {str(kind): limit for kind, limit in LIMITS.items()}
    for kind, value in given.items():
        if kind not in limits:
            problems.append((kind, f"there are thresholds of {', '.join(limits)}"))
            continue
        low, high = limits[kind]
        if not low <= value <= high:
            problems.append((kind, f"must be from {low:g} to {high:g}"))
    return problems


def _frame(number: int, item: object) -> Frame:
    parts = item.split(",") if isinstance(item, str) else []
    if len(parts) != 3:
        raise BadSignal(f"frame {number} of the vpdq is not 'pdq,quality,seconds'")
    try:
        quality, seconds = int(parts[1]), float(parts[2])
        pdq = parse_hash("pdq", parts[0])
    except ValueError as error:
        raise BadSignal(f"frame {number} of the vpdq: {error}") from error
    if not 0 <= quality <= 100:
        raise BadSignal(f"frame {number} of the vpdq: a quality is 0 to 100")
    if not 0 <= seconds < 4_000_000:
        raise BadSignal(f"frame {number} of the vpdq: its time is wrong")
    return Frame(pdq, quality, seconds)
