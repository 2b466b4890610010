"""How Matroska and WebM files are put together (RFC 8794 EBML, RFC 9559), read without decoding: are they
encrypted, is the end there?

The walk moves forward with each step, looks at a limited number of elements, and never raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from typing import Final

_SEGMENT: Final = 0x18538067
_TRACKS: Final = 0x1654AE6B
_TRACK: Final = 0xAE
_ENCODINGS: Final = 0x6D80
_ENCODING: Final = 0x6240
_ENCODING_TYPE: Final = 0x5033
_ENCRYPTION: Final = 0x5035

_BY_ENCRYPTION: Final = 1
_MOST_ELEMENTS: Final = 10_000


def encrypted_tracks(data: bytes | mmap) -> bool:
    """Whether a track's frames are encrypted, which a demultiplexer would hand to the decoder as if they were plain."""
    for segment in _inside(data, 0, len(data), _SEGMENT):
        for tracks in _inside(data, *segment, _TRACKS):
            for track in _inside(data, *tracks, _TRACK):
                for encodings in _inside(data, *track, _ENCODINGS):
                    if any(_encrypts(data, *encoding) for encoding in _inside(data, *encodings, _ENCODING)):
                        return True
    return False


def segment_cut_short(data: bytes | mmap) -> bool:
    """Whether the segment says a size that reaches beyond the end of the file; a live one says none. Never raises."""
    at = 0
    for _ in range(_MOST_ELEMENTS):
        name, at = _number(data, at, len(data), longest=4, marked=True)
        size, at = _number(data, at, len(data), longest=8, marked=False)
        if name is None or size is None:
            return False
        if name == _SEGMENT:
            return at + size > len(data)
        at += size
    return False


def _encrypts(data: bytes | mmap, start: int, end: int) -> bool:
    return any(
        name == _ENCRYPTION or (name == _ENCODING_TYPE and int.from_bytes(data[at:until], "big") == _BY_ENCRYPTION)
        for name, at, until in _elements(data, start, end)
    )


def _inside(data: bytes | mmap, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    return ((at, until) for name, at, until in _elements(data, start, end) if name == wanted)


def _elements(data: bytes | mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Id, start and end of the content of each element; one that reaches too far, or says no size, ends with its
    parent."""
    at = start
    for _ in range(_MOST_ELEMENTS):
        name, at = _number(data, at, end, longest=4, marked=True)
        size, at = _number(data, at, end, longest=8, marked=False)
        if name is None:
            return
        until = end if size is None else min(at + size, end)
        yield name, at, until
        at = until


def _number(data: bytes | mmap, at: int, end: int, *, longest: int, marked: bool) -> tuple[int | None, int]:
    """A number of variable length (RFC 8794, section 4), with its mark or without, and where what follows begins; None
    for none, and for a size that is not known (all bits set)."""
    if at >= end:
        return None, end
    length = 9 - data[at].bit_length()
    if length > longest or at + length > end:
        return None, end
    value = int.from_bytes(data[at : at + length], "big")
    if marked:
        return value, at + length
    value &= (1 << (7 * length)) - 1
    return (None if value == (1 << (7 * length)) - 1 else value), at + length
