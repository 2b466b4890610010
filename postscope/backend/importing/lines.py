"""The lines of a text file, plain or gzipped: their bytes, numbers and places, none longer than is good for memory."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from postscope.backend.errors import Invalid
from postscope.backend.importing.rows import MAX_ROW_BYTES, SHOWN_BYTES

_CHUNK: Final = 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        number: counted from 1.
        end: offset of the byte after it, in the unpacked text.
        length: bytes, with the line's end.
        data: its bytes, with the line's end; the first few thousand of a line that is too long.
    """

    number: int
    end: int
    length: int
    data: bytes

    @property
    def too_long(self) -> bool:
        """Whether ``data`` is only its beginning."""
        return self.length > MAX_ROW_BYTES


class TextFile:
    """A text file that can be read from any line on. Positions are offsets in the unpacked text."""

    def __init__(self, path: Path, *, packed: bool) -> None:
        self._raw = path.open("rb")
        self._packed = packed
        self._text = gzip.GzipFile(fileobj=self._raw) if packed else self._raw
        self.size = os.fstat(self._raw.fileno()).st_size

    def lines(self, position: int) -> Iterator[Line]:
        """The lines from ``position`` on, numbered as from the beginning.

        Raises:
            Invalid: the file cannot be read on.
        """
        number = 0
        try:
            number = self._go_to(position)
            while data := self._text.readline(MAX_ROW_BYTES + 1):
                number += 1
                length = len(data)
                if length > MAX_ROW_BYTES:
                    length += 0 if data.endswith(b"\n") else self._skip_line()
                    data = data[:SHOWN_BYTES]
                if number == 1:
                    data = data.removeprefix(_BOM)
                position += length
                yield Line(number, position, length, data)
        except (OSError, EOFError, zlib.error) as error:
            raise Invalid.of("file", f"cannot be read after line {number}: {error}") from error

    def done(self, position: int) -> int:
        """Bytes of the file before a position that was just read."""
        return self._raw.tell() if self._packed else position

    def close(self) -> None:
        """Close the file."""
        self._text.close()
        self._raw.close()

    def _go_to(self, position: int) -> int:
        # The lines before are counted, not read: a gigabyte takes about a second.
        self._text.seek(0)
        number, left = 0, position
        while left and (chunk := self._text.read(min(left, _CHUNK))):
            number += chunk.count(b"\n")
            left -= len(chunk)
        return number

    def _skip_line(self) -> int:
        length = 0
        while chunk := self._text.readline(_CHUNK):
            length += len(chunk)
            if chunk.endswith(b"\n"):
                break
        return length


def undecodable(data: bytes) -> str | None:
    """Why these bytes are not UTF-8; None if they are."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f"is not UTF-8 (byte {error.start + 1})"
    return None


def shown(data: bytes) -> str:
    """The beginning of what could not be read, for a person."""
    return data[:SHOWN_BYTES].decode(errors="backslashreplace").rstrip("\r\n")
