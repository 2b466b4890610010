"""What a file of any kind is, from its first bytes and its header; nothing is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from postscope.indexing.media.errors import EmptyMedia, MediaTooLarge, UnsupportedMedia
from postscope.indexing.media.image import MAX_BYTES, ImageInfo, inspect_image
from postscope.indexing.media.parts import MediaKind
from postscope.indexing.media.sniff import AUDIO_TYPES, HEAD, IMAGE_TYPES, VIDEO_TYPES, mislabel, sniff

ANIMATED: Final = frozenset({"image/gif", "image/webp", "image/png", "image/avif"})
"""Image types that may hold an animation; several pictures in a HEIC file are no animation."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file says of itself.

    Attributes:
        kind: as far as the header tells: a video that turns out to have no picture is audio.
        mime: the type of the content.
        width: of an image or animation, in pixels as shown; of a video it is known when it was taken apart.
        height: as ``width``.
        mislabelled: a sentence when the file claimed to be of another type.
    """

    kind: MediaKind
    mime: str
    width: int | None = None
    height: int | None = None
    mislabelled: str | None = None


class Inspect(Protocol):
    """Says what a file is: ``inspect_media``, or ``Stills.inspect``, which trusts no header."""

    def __call__(self, data: bytes | Path, *, max_bytes: int) -> MediaInfo:
        """See ``inspect_media``."""
        ...


class HeaderOf(Protocol):
    """Reads the header of a picture, such as ``inspect_image``."""

    def __call__(self, data: bytes | Path, *, claimed: str | None, max_bytes: int) -> ImageInfo:
        """See ``inspect_image``."""
        ...


def inspect_media(
    data: bytes | Path,
    *,
    claimed: str | None = None,
    max_bytes: int = MAX_BYTES,
    header_of: HeaderOf = inspect_image,
) -> MediaInfo:
    """Read the header only.

    Args:
        data: the file's content, or where it is.
        claimed: the type that its sender gave it, such as a Content-Type header.
        max_bytes: limit on the file's size.
        header_of: reads the header of a picture; by default here, in this process.

    Raises:
        MediaError: the file is of no kind that is understood here, or its header is broken.
    """
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    if size > max_bytes:
        raise MediaTooLarge(f"the file has {size:,} bytes; the limit is {max_bytes:,}")
    if not size:
        raise EmptyMedia("the file is empty")
    mime = sniff(_head(data))
    if mime in IMAGE_TYPES:
        info = header_of(data, claimed=claimed, max_bytes=max_bytes)
        moving = info.frames > 1 and mime in ANIMATED
        return MediaInfo("video" if moving else "image", info.mime, info.width, info.height, info.mislabelled)
    if mime in VIDEO_TYPES:
        return MediaInfo("video", mime, mislabelled=mislabel(claimed, mime))
    if mime in AUDIO_TYPES:
        return MediaInfo("audio", mime, mislabelled=mislabel(claimed, mime))
    what = "of no type that is known" if mime is None else f"{mime}, a type that is not understood here"
    raise UnsupportedMedia(f"the content is {what}", mime=mime)


def _head(data: bytes | Path) -> bytes:
    if isinstance(data, bytes):
        return data[:HEAD]
    with data.open("rb") as file:
        return file.read(HEAD)
