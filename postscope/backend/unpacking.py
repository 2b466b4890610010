"""Bodies that were sent packed although they were asked for plain, unpacked a bounded piece at a time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

from postscope.backend.fetch_errors import FetchFailed

_PIECE: Final = 256 * 1024


class Unpacker(Protocol):
    """Takes a body's chunks in order."""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk unpacks to, in pieces of bounded size: stop reading when it is enough."""
        ...

    def finish(self) -> None:
        """The body has ended. Raises ``FetchFailed`` when its packed content has not."""
        ...


def unpacker(encoding: str | None) -> Unpacker:
    """For a Content-Encoding header.

    Raises:
        FetchFailed: the encoding is not understood.
    """
    name = (encoding or "identity").strip().lower()
    if name in ("identity", ""):
        return _Plain()
    if name in ("gzip", "x-gzip", "deflate"):
        return _Zlib()
    raise FetchFailed(f"the file is packed in a way that was not asked for: {name[:40]}", what="encoding")


class _Plain:
    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def finish(self) -> None:
        pass


class _Zlib:
    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=47)  # zlib's or gzip's header, whichever is there

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        rest = chunk
        while rest and not self._zlib.eof:
            try:
                piece = self._zlib.decompress(rest, _PIECE)
            except zlib.error as error:
                raise FetchFailed(f"the packed file is broken: {error}", what="encoding") from error
            rest = self._zlib.unconsumed_tail
            if piece:
                yield piece

    def finish(self) -> None:
        if not self._zlib.eof:
            raise FetchFailed("the packed file ends too early", what="encoding", retryable=True)
