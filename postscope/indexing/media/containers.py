"""How files are put together, read without decoding: is the end there, how many frames, how many scans.

Every walk moves forward with each step, so it is linear in the file's size whatever the file says.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from typing import Final

_ENCRYPTED: Final = frozenset({b"encv", b"enca", b"drmi", b"drms", b"drmt"})
_MOST_BOXES: Final = 10_000

_UNSAID_FROM: Final = 0x7FFF0000
"""Sizes that stand in a WAV file whose writer did not know."""
_MP3_HEAD: Final = 2_048

_GIF_LOOKED_AT: Final = 8 * 1024 * 1024


def is_cut_short(mime: str, data: bytes) -> bool:
    """Whether the end that every complete file of this type has is missing. Never raises."""
    if mime == "image/jpeg":
        return b"\xff\xd9" not in data[-64:]
    if mime == "image/png":
        return b"IEND" not in data[-64:]
    if mime == "image/gif":
        return b"\x3b" not in data[-16:]
    if mime == "image/webp":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    return boxes_cut_short(data)


def jpeg_scans(data: bytes) -> int:
    """Number of scans: each makes a decoder pass over the whole picture.

    Compressed data never holds the marker FF DA (FF is followed by 00 there), so counting the bytes counts
    scans; a thumbnail in the metadata adds a few.
    """
    return data.count(b"\xff\xda")


def gif_frames(data: bytes) -> int:
    """Number of frames in the first 8 MiB, at least 1 (blocks may be a byte long, and this is Python)."""
    data = data[:_GIF_LOOKED_AT]
    frames, at = 0, 13 + _palette_bytes(data, 10)
    while True:
        kind = data[at : at + 1]
        if kind == b"\x21":
            at = _after_blocks(data, at + 2)
        elif kind == b"\x2c":
            frames += 1
            at = _after_blocks(data, at + 11 + _palette_bytes(data, at + 9))
        else:
            return max(frames, 1)


def _palette_bytes(data: bytes, flags_at: int) -> int:
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """Where a chain of length-prefixed blocks ends (GIF89a, section 15)."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def boxes_cut_short(data: bytes | mmap) -> bool:
    """ISO base media: whether a top-level box reaches beyond the end of the file."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size == 0:  # "until the end of the file"
            return False
        if size < 8 or len(data) - at < 8:
            return len(data) - at < 8
        at += size
    return at > len(data)


def wave_cut_short(data: bytes | mmap) -> bool:
    """WAV: whether the file is shorter than it says; one that was written as a stream says nothing."""
    said = int.from_bytes(data[4:8], "little")
    return 0 < said < _UNSAID_FROM and said + 8 > len(data)


def ogg_cut_short(data: bytes | mmap) -> bool:
    """Ogg: whether the last page is not whole, or not marked as the last of its stream (RFC 3533, section 6)."""
    at = data.rfind(b"OggS")
    if at < 0 or at + 27 > len(data):
        return True
    segments = data[at + 27 : at + 27 + data[at + 26]]
    return not data[at + 5] & 4 or at + 27 + data[at + 26] + sum(segments) > len(data)


def mp3_cut_short(data: bytes | mmap) -> bool:
    """MP3: whether there are fewer bytes than the encoder's first frame (Xing, Info) says; one without it says
    nothing."""
    start = 0
    if data[:3] == b"ID3":  # its size is in four times seven bits
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=False))
    head = data[start : start + _MP3_HEAD]
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0:
        return False
    flags = int.from_bytes(head[at + 4 : at + 8], "big")
    at += 12 if flags & 1 else 8  # the number of frames comes first
    return bool(flags & 2) and int.from_bytes(head[at : at + 4], "big") > len(data) - start


def encrypted_boxes(data: bytes | mmap) -> bool:
    """ISO base media: whether a track's samples are encrypted (ISO/IEC 23001-7). Never raises.

    A demultiplexer would hand the encrypted samples to the decoder as if they were plain.
    """
    return any(kind in _ENCRYPTED for kind in _sample_entries(data))


def _sample_entries(data: bytes | mmap) -> Iterator[bytes]:
    """Types of the sample entries of all tracks."""
    for movie in _inside(data, 0, len(data), b"moov"):
        for track in _inside(data, *movie, b"trak"):
            for medium in _inside(data, *track, b"mdia"):
                for info in _inside(data, *medium, b"minf"):
                    for table in _inside(data, *info, b"stbl"):
                        for start, end in _inside(data, *table, b"stsd"):
                            yield from (kind for kind, _, _ in _boxes(data, start + 8, end))


def _inside(data: bytes | mmap, start: int, end: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    return ((at, until) for kind, at, until in _boxes(data, start, end) if kind == wanted)


def _boxes(data: bytes | mmap, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the content of each box; a box that reaches too far ends with its parent."""
    at = start
    for _ in range(_MOST_BOXES):
        if end - at < 8:
            return
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if size == 0:
            size = end - at
        if size < head:
            return
        yield kind, at + head, min(at + size, end)
        at += size
