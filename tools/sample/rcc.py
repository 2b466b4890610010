"""Read Qt's binary resource files (``.rcc``), in which some packages keep their pictures."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_DIRECTORY = 2
_ZLIB = 1


def read_rcc(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Every file in ``data`` as (path, content).

    The format is that of ``qtbase/src/corelib/io/qresource.cpp``: a header of offsets, a tree of fixed-size
    nodes, names in UTF-16 and payloads with a length before them.

    Raises:
        ValueError: not a resource file, or compressed by something other than zlib.
    """
    if data[:4] != b"qres":
        raise ValueError("not a Qt resource file: it does not begin with 'qres'")
    version, tree, payloads, names = struct.unpack(">IIII", data[4:20])
    node_size = 14 if version == 1 else 22

    def name_at(offset: int) -> str:
        start = names + offset
        (length,) = struct.unpack(">H", data[start : start + 2])
        return data[start + 6 : start + 6 + 2 * length].decode("utf-16-be")

    def walk(index: int, parent: str) -> Iterator[tuple[str, bytes]]:
        start = tree + node_size * index
        name, flags, first, second = struct.unpack(">IHII", data[start : start + 14])
        path = f"{parent}/{name_at(name)}".lstrip("/") if index else ""
        if flags & _DIRECTORY:
            for child in range(second, second + first):
                yield from walk(child, path)
        elif flags & ~_ZLIB:
            raise ValueError(f"{path}: flags {flags} are not understood")
        else:
            yield path, _payload(data, payloads + second, compressed=bool(flags & _ZLIB))

    yield from walk(0, "")


def _payload(data: bytes, start: int, *, compressed: bool) -> bytes:
    (length,) = struct.unpack(">I", data[start : start + 4])
    content = data[start + 4 : start + 4 + length]
    # Compressed payloads begin with their plain length in four bytes, which zlib does not need.
    return zlib.decompress(content[4:]) if compressed else content
