"""Which format a file has: by its content where that is clear, else by the ending of its name."""

from __future__ import annotations

import zlib
from pathlib import Path

from postscope.backend.errors import Invalid
from postscope.backend.importing.delimited import Delimited
from postscope.backend.importing.jsonl import JsonLines
from postscope.backend.importing.rows import Source

_GZIP = b"\x1f\x8b"
_GZIP_BITS = 16 + zlib.MAX_WBITS  # with the header and trailer of gzip
_PARQUET = b"PAR1"
_LINES = (".jsonl", ".ndjson")
_TABLES = (".csv", ".tsv")


def open_source(path: Path) -> Source:
    """Open a file of posts.

    Raises:
        Invalid: there is no such file, or it is none of JSONL, CSV and Parquet; the message says why.
    """
    if not path.is_file():
        raise Invalid.of("file", f"{path} is no file" if path.exists() else f"there is no file {path}")
    head, packed = _head(path)
    if head.startswith(_PARQUET):
        if packed:
            raise Invalid.of("file", "is a gzipped Parquet file: unpack it first")
        from postscope.backend.importing.parquet import ParquetRows

        return ParquetRows(path)
    if _is_lines(path, head):
        return JsonLines(path, packed=packed)
    return Delimited(path, packed=packed)


def _head(path: Path) -> tuple[bytes, bool]:
    try:
        with path.open("rb") as file:
            head = file.read(4096)
        if not head.startswith(_GZIP):
            return head, False
        # As much of it as there is: of a file that breaks off the rows before are read all the same.
        return zlib.decompressobj(wbits=_GZIP_BITS).decompress(head, 4096), True
    except (OSError, zlib.error) as error:
        raise Invalid.of("file", f"cannot be read: {error}") from error


def _is_lines(path: Path, head: bytes) -> bool:
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(_LINES):
        return True
    if name.endswith(_TABLES):
        return False
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"[":
        raise Invalid.of("file", "is one JSON array: write one object a line (JSONL)")
    return first == b"{"
