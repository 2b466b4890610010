"""Opens still pictures in processes of their own: a picture that hangs or blows up its decoder costs itself alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from PIL import Image

from postscope.indexing.media.errors import (
    CorruptMedia,
    DecoderCrashed,
    EmptyMedia,
    MediaTooLarge,
    OutOfMemory,
)
from postscope.indexing.media.image import MAX_BYTES, ImageInfo
from postscope.indexing.media.inspect import MediaInfo, inspect_media
from postscope.indexing.media.sandbox.files import in_memory
from postscope.indexing.media.sandbox.pool import PATIENCE, Item, Sandbox

MAX_JOBS: Final = 5_000
"""Pictures that one process opens. They take some milliseconds, and a new process takes some hundred."""


class Stills:
    """Opens pictures. Safe to use from several threads.

    Args:
        sandbox: processes of the kind ``pictures``.
        max_pixels: that a picture may have.
        seconds: of computing, for one picture.
    """

    def __init__(self, sandbox: Sandbox, *, max_pixels: int, seconds: float) -> None:
        self._sandbox = sandbox
        self._max_pixels = max_pixels
        self._seconds = seconds

    def open(self, data: bytes | Path, *, target: int) -> Image.Image:
        """The first picture in a file: RGB, upright, see ``image.open_image``, which does it in another process.

        Args:
            data: the file's content, or where it is.
            target: the short side that the caller needs, in pixels.

        Raises:
            MediaError: one of its kinds.
            SandboxDown: no process can be started here.
        """
        params = {"max_pixels": self._max_pixels, "target": target}
        *pieces, _ = self._run("picture", data, params)
        return _picture(pieces, self._max_pixels)

    def inspect(self, data: bytes | Path, *, claimed: str | None = None, max_bytes: int = MAX_BYTES) -> MediaInfo:
        """What a file of any kind is, see ``inspect_media``; the header of a picture is read in another process.

        Raises:
            MediaError: one of its kinds.
            SandboxDown: no process can be started here.
        """
        return inspect_media(data, claimed=claimed, max_bytes=max_bytes, header_of=self._header)

    def warm(self) -> None:
        """Have a process ready, so that the first who asks does not wait for it.

        Raises:
            SandboxDown: none can be started here.
        """
        self._sandbox.warm()

    def close(self) -> None:
        """End all processes; whoever waits for one hears ``SandboxDown``."""
        self._sandbox.close()

    def _header(self, data: bytes | Path, *, claimed: str | None, max_bytes: int) -> ImageInfo:
        *_, (said, _) = self._run("header", data, {"claimed": claimed}, max_bytes=max_bytes)
        mime, mislabelled = said.get("mime"), said.get("mislabelled")
        if not isinstance(mime, str) or not isinstance(mislabelled, str | None):
            raise CorruptMedia("what its header was read as makes no sense")
        return ImageInfo(mime, _count(said, "width"), _count(said, "height"), _count(said, "frames"), mislabelled)

    def _run(self, job: str, data: bytes | Path, params: dict[str, Any], *, max_bytes: int = MAX_BYTES) -> list[Item]:
        """What a job gives. A process that did not survive may have been harmed by the picture before: once more in
        another one."""
        with _as_file(data, max_bytes) as file:
            try:
                return self._once(job, file, params)
            except (DecoderCrashed, OutOfMemory):
                return self._once(job, file, params)

    def _once(self, job: str, file: int, params: dict[str, Any]) -> list[Item]:
        items = self._sandbox.run(job, file, params, seconds=self._seconds * PATIENCE, cpu_seconds=self._seconds)
        most, found = self._max_pixels * 3, list[Item]()
        with contextlib.closing(items):
            for item in items:
                most -= len(item[1])
                if most < 0:
                    raise CorruptMedia("more came out of it than any picture may have")
                found.append(item)
        return found


def _picture(pieces: list[Item], max_pixels: int) -> Image.Image:
    """The other process may be in the hands of a picture: it may say anything."""
    if not pieces:
        raise CorruptMedia("nothing came out of it")
    size = _count(pieces[0][0], "width"), _count(pieces[0][0], "height")
    pixels = pieces[0][1] if len(pieces) == 1 else b"".join(piece for _, piece in pieces)
    if size[0] * size[1] > max_pixels or len(pixels) != size[0] * size[1] * 3:
        raise CorruptMedia("what came out of it is no picture")
    return Image.frombytes("RGB", size, pixels)


def _count(said: dict[str, Any], name: str) -> int:
    value = said.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise CorruptMedia(f"what was decoded has no sensible {name}")
    return value


@contextlib.contextmanager
def _as_file(data: bytes | Path, max_bytes: int) -> Iterator[int]:
    """The file, open."""
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    if size > max_bytes:
        raise MediaTooLarge(f"the file has {size:,} bytes; the limit is {max_bytes:,}")
    if not size:
        raise EmptyMedia("the file is empty")
    if isinstance(data, Path):
        with data.open("rb") as opened:
            yield opened.fileno()
        return
    with in_memory(data) as file:
        yield file
