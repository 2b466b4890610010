"""Fingerprints: content to a few bytes that can be compared, kept and looked up.

- ``pdq``: 256 bits of how an image looks (Meta's PDQ, 2019), of the picture shrunk to 512 pixels first.
- ``sha256``, ``md5``: of a file's bytes.
- ``text``: SHA-256 of a text's words alone, folded, so that neither case, punctuation, links nor look-alike letters
  count.
- ``shingles``: 256 bits whose Hamming distance tells how many four-letter pieces two texts share (1-bit minwise
  hashing, Li and König 2010): two texts of resemblance J differ in about 128 (1 - J) bits.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import regex
from PIL import Image

from postscope.indexing.confusables import fold
from postscope.indexing.normalise import normalise

BITS: Final = 256
PDQ_SIDE: Final = 512
"""Longest side, in pixels, of the picture that PDQ looks at."""
PDQ_RADIUS: Final = 31
"""Bits that two PDQs of one picture may differ in: Meta's own threshold."""
PDQ_QUALITY: Final = 50
"""Below this a picture shows too little (a plain colour, a slide) for its PDQ to say anything: Meta's own threshold."""

_SHINGLE: Final = 4
_LEAST_LETTERS: Final = 12
_MULTIPLIERS: Final = 0x9E3779B97F4A7C15

Content_contra = TypeVar("Content_contra", contravariant=True)
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a fingerprinter made of some content.

    Attributes:
        value: its bytes; always as many for one kind.
        quality: 0 to 100, how much the content gives to tell it by; 100 where every content does.
    """

    value: bytes
    quality: int = 100


class Fingerprinter(Protocol[Content_contra]):
    """Content to a fingerprint. Its contract suite is ``tests/contracts/test_fingerprinters.py``.

    Equal content has equal fingerprints, on every machine. Safe to call from several threads.
    """

    @property
    def kind(self) -> str:
        """The name that its fingerprints are kept under."""
        ...

    def fingerprint(self, content: Content_contra) -> Fingerprint | None:
        """None where the content gives nothing to tell it by, such as an empty text."""
        ...

    def distance(self, first: bytes, second: bytes) -> int:
        """0 for equal fingerprints, symmetric. Raises ``ValueError`` where one is not of this kind."""
        ...


class Pdq:
    """PDQ of an image, the same bits that Meta's ``threatexchange`` computes."""

    kind: Final = "pdq"

    def fingerprint(self, content: Image.Image) -> Fingerprint | None:
        """Of an image of any size and mode; quality as PDQ gives it."""
        import pdqhash

        bits, quality = pdqhash.compute(shrunk(content))
        return Fingerprint(np.packbits(bits).tobytes(), int(quality))

    def turned(self, content: Image.Image) -> list[bytes]:
        """PDQ of the image as it is, turned by 90, 180 and 270 degrees, and the same four mirrored.

        Looking all of them up finds a picture whichever way it was turned.
        """
        import pdqhash

        variants, _ = pdqhash.compute_dihedral(shrunk(content))
        return [np.packbits(bits).tobytes() for bits in variants]

    def distance(self, first: bytes, second: bytes) -> int:
        """Bits that differ, 0 to 256."""
        return bits_apart(first, second, size=BITS // 8)


class FileHash:
    """A cryptographic hash of a file's bytes: ``sha256`` or ``md5`` (which other systems exchange)."""

    def __init__(self, kind: str) -> None:
        if kind not in ("sha256", "md5"):
            raise ValueError(f"no file hash {kind!r}: sha256 or md5")
        self._kind = kind

    @property
    def kind(self) -> str:
        """``sha256`` or ``md5``."""
        return self._kind

    def fingerprint(self, content: bytes) -> Fingerprint | None:
        """Of a file's bytes; None for an empty one."""
        if not content:
            return None
        return Fingerprint(hashlib.new(self._kind, content, usedforsecurity=False).digest())

    def distance(self, first: bytes, second: bytes) -> int:
        """0 if equal, else 1."""
        return _equal(first, second, size=32 if self._kind == "sha256" else 16)


class ExactText:
    """SHA-256 of a text's folded words."""

    kind: Final = "text"

    def fingerprint(self, content: str) -> Fingerprint | None:
        """None for a text without a letter or digit outside its links."""
        told = " ".join(words(content))
        return Fingerprint(hashlib.sha256(told.encode()).digest()) if told else None

    def distance(self, first: bytes, second: bytes) -> int:
        """0 if equal, else 1."""
        return _equal(first, second, size=32)


class Shingles:
    """1-bit minwise hashes of a text's four-letter pieces."""

    kind: Final = "shingles"

    def fingerprint(self, content: str) -> Fingerprint | None:
        """None for a text of fewer than twelve letters: any two such texts may be alike by chance."""
        told = " ".join(words(content))
        if len(told) < _LEAST_LETTERS:
            return None
        pieces = _pieces(told)
        least = np.full(BITS, np.iinfo(np.uint64).max, np.uint64)
        for start in range(0, len(pieces), 1024):  # so that a long text takes no more memory than a short one
            hashed = pieces[start : start + 1024, None] * _FACTORS[None, :] + _TERMS[None, :]
            least = np.minimum(least, (hashed >> np.uint64(29)).min(axis=0))
        return Fingerprint(np.packbits((least & np.uint64(1)).astype(np.uint8)).tobytes())

    def distance(self, first: bytes, second: bytes) -> int:
        """Bits that differ: 0 for the same pieces, about 128 for nothing in common."""
        return bits_apart(first, second, size=BITS // 8)


def shrunk(image: Image.Image, side: int = PDQ_SIDE) -> Pixels:
    """The picture in RGB with its longest side at most ``side``: uint8 (height, width, 3)."""
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    longest = max(rgb.size)
    if longest > side:
        width, height = (max(1, round(length * side / longest)) for length in rgb.size)
        rgb = rgb.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(rgb)


_LINK: Final = regex.compile(r"(?:https?://|www\.)\S*+", regex.IGNORECASE)
_WORD: Final = regex.compile(r"[\p{L}\p{N}]++")


def words(text: str) -> list[str]:
    """A text's words, folded, in order; links, punctuation, emoji and the signs of tags and handles are left out."""
    return _WORD.findall(fold(_LINK.sub(" ", normalise(text))))


def bits_apart(first: bytes, second: bytes, *, size: int) -> int:
    """Hamming distance of two values of ``size`` bytes.

    Raises:
        ValueError: one has another length.
    """
    if len(first) != size or len(second) != size:
        raise ValueError(f"fingerprints of {size} bytes are compared, not of {len(first)} and {len(second)}")
    return (int.from_bytes(first) ^ int.from_bytes(second)).bit_count()


def _equal(first: bytes, second: bytes, *, size: int) -> int:
    if len(first) != size or len(second) != size:
        raise ValueError(f"fingerprints of {size} bytes are compared, not of {len(first)} and {len(second)}")
    return int(first != second)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea and Flood 2014): every bit of a value moves every bit of the result."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)), np.uint64)


_FACTORS: Final = _mixed(np.arange(1, BITS + 1, dtype=np.uint64) * np.uint64(_MULTIPLIERS)) | np.uint64(1)
_TERMS: Final = _mixed(np.arange(BITS + 1, 2 * BITS + 1, dtype=np.uint64) * np.uint64(_MULTIPLIERS))


def seeded_bits(count: int) -> npt.NDArray[np.bool_]:
    """The same ``count`` random bits on every machine and in every version of NumPy."""
    return np.asarray(_mixed(np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_MULTIPLIERS)) >> np.uint64(63), bool)


def _pieces(told: str) -> npt.NDArray[np.uint64]:
    """A hash of each distinct run of four characters."""
    letters = np.frombuffer(told.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    runs = np.lib.stride_tricks.sliding_window_view(letters, _SHINGLE)
    # a code point takes 21 bits: three fit beside each other, and the fourth is mixed in
    packed = runs[:, 0] | runs[:, 1] << np.uint64(21) | runs[:, 2] << np.uint64(42)
    return np.unique(_mixed(packed ^ _mixed(runs[:, 3] + np.uint64(1))))
