"""Image files from anywhere, made into plain RGB pictures, or refused with a reason.

The size in the header is checked before a pixel is decoded. The decoder is chosen by the content and called
directly: Pillow's list of formats, which would also try PostScript and other risky ones, and its global pixel
limit are neither used nor changed, and pillow-heif is not registered with it.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageCms, ImageFile

from postscope.indexing.media.containers import gif_frames, is_cut_short, jpeg_scans
from postscope.indexing.media.errors import (
    CorruptMedia,
    EmptyMedia,
    MediaError,
    MediaTooLarge,
    TooManyPixels,
    TruncatedMedia,
    UnsupportedMedia,
)
from postscope.indexing.media.sniff import HEAD, IMAGE_TYPES, mislabel, sniff

MAX_BYTES: Final = 64 * 1024 * 1024
"""Default limit on a file's size."""

_MAX_SCANS: Final = 200
"""A progressive JPEG has about ten scans; thousands keep a decoder busy for minutes."""

_SRGB_NAMES: Final = (b"sRGB", "sRGB".encode("utf-16-be"))
_MAX_PROFILE_BYTES: Final = 4 * 1024 * 1024
DECODERS: Final = {
    "image/jpeg": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "image/png": ("PIL.PngImagePlugin", "PngImageFile"),
    "image/webp": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "image/gif": ("PIL.GifImagePlugin", "GifImageFile"),
    "image/avif": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "image/heic": ("pillow_heif", "HeifImageFile"),
    "image/heif": ("pillow_heif", "HeifImageFile"),
}
_ORIENTATION: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What the header of an image file says.

    Attributes:
        mime: the type of the content.
        width: in pixels, as shown (after the orientation in its metadata).
        height: in pixels, as shown.
        frames: of an animation; 1 for a still. Of these ``open_image`` takes the first.
        mislabelled: a sentence when the file claimed to be of another type.
    """

    mime: str
    width: int
    height: int
    frames: int
    mislabelled: str | None = None


def inspect_image(data: bytes | Path, *, claimed: str | None = None, max_bytes: int = MAX_BYTES) -> ImageInfo:
    """Read the header only; no pixel is decoded, and none is counted against a limit.

    Args:
        data: the file's content, or where it is.
        claimed: the type that its sender gave it, such as a Content-Type header.
        max_bytes: limit on the file's size.

    Raises:
        MediaError: the file is no image that is understood here, or its header is broken.
    """
    content = _content(data, max_bytes)
    with _opened(content) as (mime, image):
        width, height = image.size
        if _orientation(image) >= 5:
            width, height = height, width
        frames = gif_frames(content) if mime == "image/gif" else int(getattr(image, "n_frames", 1))
    return ImageInfo(mime, width, height, frames, mislabel(claimed, mime))


def open_image(data: bytes | Path, *, max_pixels: int, target: int, max_bytes: int = MAX_BYTES) -> Image.Image:
    """Decode the first frame to RGB, upright, transparent parts on white, colours in sRGB.

    Args:
        data: the file's content, or where it is.
        max_pixels: limit on width times height, checked in the header before anything is decoded.
        target: the short side that the caller needs, in pixels. A larger picture is brought down by a whole
            factor (for JPEG while it is decoded) and keeps at least this; a smaller one stays as it is.
        max_bytes: limit on the file's size.

    Raises:
        MediaError: one of its kinds, each with its reason.
    """
    content = _content(data, max_bytes)
    with _opened(content) as (mime, image):
        _check_pixels(image, max_pixels)
        if mime == "image/jpeg":
            _check_scans(content)
            image.draft("RGB", (target, target))
        image.load()
        _check_pixels(image, max_pixels)  # some formats say the true size only now
        picture = _upright(_in_rgb(image, target), _TURNS.get(_orientation(image)))
    return picture


def animation_frames(
    data: bytes | Path, *, max_pixels: int, target: int, max_bytes: int = MAX_BYTES
) -> Iterator[tuple[float, Image.Image]]:
    """Every frame of an animation, one after the other: the second at which it is shown, and the picture.

    A frame that says no time is shown for a tenth of a second, as browsers do it.

    Args:
        data: as ``open_image``, and so are the others.
        max_pixels: of one frame.
        target: the short side that the caller needs, in pixels.
        max_bytes: limit on the file's size.

    Raises:
        MediaError: one of its kinds; frames that came before are sound.
    """
    content = _content(data, max_bytes)
    seconds = 0.0
    with _opened(content) as (_, image):
        _check_pixels(image, max_pixels)
        for number in range(int(getattr(image, "n_frames", 1))):
            image.seek(number)
            image.load()
            _check_pixels(image, max_pixels)
            yield seconds, _upright(_in_rgb(image, target), None)
            shown = image.info.get("duration", 0)
            seconds += (shown if isinstance(shown, int | float) and shown > 10 else 100) / 1000


def _content(data: bytes | Path, max_bytes: int) -> bytes:
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    if size > max_bytes:
        raise MediaTooLarge(f"the file has {size:,} bytes; the limit is {max_bytes:,}")
    content = data.read_bytes() if isinstance(data, Path) else data
    if not content:
        raise EmptyMedia("the file is empty")
    return content


@contextlib.contextmanager
def _opened(content: bytes) -> Iterator[tuple[str, ImageFile.ImageFile]]:
    """The type and the image, not yet decoded; whatever a decoder raises inside becomes a ``MediaError``."""
    mime = sniff(content[:HEAD])
    if mime not in IMAGE_TYPES:
        raise UnsupportedMedia(_what_instead(mime), mime=mime)
    try:
        with contextlib.closing(_decoder(mime)(io.BytesIO(content))) as image:
            yield mime, image
    except (MediaError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise TooManyPixels(f"the {mime} file promises too many pixels: {error}") from error
    except Exception as error:  # decoders raise nearly anything on hostile bytes
        if is_cut_short(mime, content):
            raise TruncatedMedia(f"the {mime} file ends too early, after {len(content):,} bytes") from error
        raise CorruptMedia(f"the {mime} file is broken: {_first_line(error)}") from error


def _decoder(mime: str) -> type[ImageFile.ImageFile]:
    """The one class that reads this type; imported when it is first needed."""
    module, name = DECODERS[mime]
    decoder: type[ImageFile.ImageFile] = getattr(importlib.import_module(module), name)
    return decoder


def _what_instead(mime: str | None) -> str:
    if mime is None:
        return "the content is no image, nor anything else that is known"
    if mime.startswith("image/"):
        return f"the content is {mime}, an image type that is not understood here"
    return f"the content is {mime}, not an image"


def _check_pixels(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise TooManyPixels(f"the image has {width} x {height} pixels; the limit is {max_pixels:,}")


def _check_scans(content: bytes) -> None:
    if (scans := jpeg_scans(content)) > _MAX_SCANS:
        raise CorruptMedia(f"the image/jpeg file has {scans:,} scans, made to keep a decoder busy")


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; metadata too broken to read says nothing.

    The base class is asked, because the one for PNG would decode the picture in search of metadata behind it.
    """
    try:
        value = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except Exception:  # a hostile EXIF block raises nearly anything, and the picture is fine without it
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def _in_rgb(image: Image.Image, target: int) -> Image.Image:
    """Brought down first, so that the costly steps see few pixels."""
    profile = image.info.get("icc_profile")
    small = _brought_down(_in_direct_colours(image), target)
    if small.mode == "RGBA":
        white = Image.new("RGBA", small.size, "white")
        small = Image.alpha_composite(white, small).convert("RGB")
    return _in_srgb(small, profile) or (small if small.mode == "RGB" else small.convert("RGB"))


def _in_direct_colours(image: Image.Image) -> Image.Image:
    """L, RGB, RGBA or CMYK with 8 bits: no palette, no 16-bit grey, no transparent colour."""
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "I;16N"):
        # by hand, because Pillow's own convert cuts off at 255 in place of scaling
        grey = np.clip(np.asarray(image).astype(np.int32), 0, 0xFFFF) >> 8
        return Image.fromarray(grey.astype(np.uint8))
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _brought_down(image: Image.Image, target: int) -> Image.Image:
    factor = min(image.size) // max(target, 1)
    return image.reduce(factor) if factor > 1 else image


def _in_srgb(image: Image.Image, profile: object) -> Image.Image | None:
    """Colours by the embedded profile; None without one that makes sense: they are then taken as they are."""
    if not isinstance(profile, bytes) or not 128 < len(profile) <= _MAX_PROFILE_BYTES:
        return None
    if profile[16:20].strip() != {"L": b"GRAY", "RGB": b"RGB", "CMYK": b"CMYK"}[image.mode]:
        return None
    if any(name in profile for name in _SRGB_NAMES):  # not parsed: a crafted description takes 200 MB of memory
        return None
    try:
        embedded = ImageCms.getOpenProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _upright(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    """A picture of its own memory, with no tie to the file."""
    picture = image.copy() if turn is None else image.transpose(turn)
    picture.info = {}
    return picture


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
