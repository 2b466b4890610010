"""The type of a file from its first bytes; names and headers are claims, and claims are not believed.

The patterns follow the WHATWG MIME Sniffing Standard (https://mimesniff.spec.whatwg.org/), the brands of HEIF
and AVIF those of ISO/IEC 23008-12 and of the AV1 Image File Format.
"""

from __future__ import annotations

import re
from typing import Final

HEAD: Final = 1024
"""So many bytes of a file are enough for ``sniff``."""

IMAGE_TYPES: Final = frozenset(
    {"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif", "image/heic", "image/heif"}
)
"""The image types that are understood."""

VIDEO_TYPES: Final = frozenset({"video/mp4", "video/quicktime", "video/webm", "video/x-matroska"})
AUDIO_TYPES: Final = frozenset({"audio/mpeg", "audio/aac", "audio/mp4", "audio/wav", "audio/flac", "application/ogg"})
"""The containers that are understood."""

_MAGIC: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"\xff\x0a", "image/jxl"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"%PDF-", "application/pdf"),
    (b"%!PS", "application/postscript"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (b"FLV\x01", "video/x-flv"),
    (b"OggS", "application/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\x7fELF", "application/x-elf"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_HEIF_BRANDS: Final = frozenset({b"mif1", b"mif2", b"msf1"})
_OTHER_BRANDS: Final = {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4", b"M4B ": "audio/mp4"}
_OTHER_NAMES: Final = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
_QUICKTIME_BOXES: Final = frozenset({b"moov", b"mdat", b"wide", b"pnot"})
_ADTS: Final = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")
_MPEG_AUDIO: Final = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")
_HTML: Final = re.compile(
    rb"<(?:!doctype html|html|head|body|script|iframe|title|style|div|table|meta|h1|a|p|br)[\s/>]",
    re.IGNORECASE,
)
_SVG: Final = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_CONTROLS: Final = frozenset(range(0x20)) - frozenset(b"\t\n\x0b\x0c\r\x1b")


def sniff(data: bytes) -> str | None:
    """The MIME type of a file that begins with ``data`` (the first ``HEAD`` bytes are looked at).

    None when it looks like nothing that is known. Never raises.
    """
    head = data[:HEAD]
    for magic, mime in _MAGIC:
        if head.startswith(magic):
            return mime
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    if head[4:8] in _QUICKTIME_BOXES:  # files from before there was ftyp
        return "video/quicktime"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/x-matroska" if b"matroska" in head[:64] else "video/webm"
    if head[:2] == b"BM" and head[6:10] == b"\x00\x00\x00\x00":
        return "image/bmp"
    if _ADTS.match(head):
        return "audio/aac"
    if _MPEG_AUDIO.match(head):
        return "audio/mpeg"
    return _of_text(head)


def mislabel(claimed: str | None, actual: str) -> str | None:
    """A sentence when a file claims to be of another type than its content is; None when the two agree.

    No claim and claims that say nothing (``application/octet-stream``) agree with everything.
    """
    plain = (claimed or "").partition(";")[0].strip().lower()
    plain = _OTHER_NAMES.get(plain, plain)
    if plain in ("", actual, "application/octet-stream", "binary/octet-stream"):
        return None
    if {plain, actual} == {"image/heic", "image/heif"}:  # one container, and the names are used loosely
        return None
    return f"labelled {plain[:80]}, and is {actual}"


def _of_brands(head: bytes) -> str:
    """ISO base media: the major brand decides, then the compatible ones; a plain ``mif1`` may hide either."""
    end = min(int.from_bytes(head[:4], "big") or len(head), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]
    for names, mime in ((_AVIF_BRANDS, "image/avif"), (_HEIC_BRANDS, "image/heic")):
        if brands[0] in names:
            return mime
    if brands[0] not in _HEIF_BRANDS:
        return _OTHER_BRANDS.get(brands[0], "video/mp4")
    if not _AVIF_BRANDS.isdisjoint(brands):
        return "image/avif"
    return "image/heif" if _HEIC_BRANDS.isdisjoint(brands) else "image/heic"


def _of_text(head: bytes) -> str | None:
    """Markup, JSON or plain text; None for nothing at all and for bytes that are no text."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text or not _CONTROLS.isdisjoint(head):
        return None
    if text.startswith(b"<"):
        if _SVG.search(text):
            return "image/svg+xml"
        if _HTML.search(text):
            return "text/html"
        return "text/xml" if text.startswith(b"<?xml") else "text/plain"
    if text[:1] in b"{[":
        return "application/json"
    try:
        text[:-3].decode()  # the cut at HEAD may fall inside a character
    except UnicodeDecodeError:
        return None
    return "text/plain"
