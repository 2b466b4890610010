"""Makes image files: sound ones of every type, and hostile ones. Each function gives the file's bytes."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

RED, GREEN, BLUE = (220, 30, 30), (30, 200, 60), (40, 60, 220)


def corners(width: int = 64, height: int = 48) -> Image.Image:
    """Red upper left, green upper right, blue lower left, white lower right: shows turns and colours."""
    pixels = np.full((height, width, 3), 255, dtype=np.uint8)
    pixels[: height // 2, : width // 2] = RED
    pixels[: height // 2, width // 2 :] = GREEN
    pixels[height // 2 :, : width // 2] = BLUE
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """``kind`` is a Pillow format name, or HEIF."""
    out = io.BytesIO()
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.from_pillow(image).save(out, **options)
    else:
        image.save(out, kind, **options)
    return out.getvalue()


def sound(kind: str, width: int = 64, height: int = 48) -> bytes:
    """A sound file of this type."""
    return encoded(corners(width, height), kind, quality=90)


def animated(kind: str, frames: int = 3) -> bytes:
    """First frame red, the others blue."""
    first, rest = Image.new("RGB", (32, 32), RED), Image.new("RGB", (32, 32), BLUE)
    others = [rest.copy() for _ in range(frames - 1)]
    for index, other in enumerate(others):  # equal neighbours would be merged into one frame
        other.putpixel((index, 0), GREEN)
    return encoded(first, kind, save_all=True, append_images=others, duration=100)


def png_chunk(name: bytes, body: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, rows: bytes, *extra: bytes) -> bytes:
    """A grey PNG with these compressed rows and any chunks before them."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + body


def png_bomb(side: int = 20_000) -> bytes:
    """A complete black PNG of ``side`` x ``side`` pixels (a multiple of 1,000) in under half a megabyte."""
    packer = zlib.compressobj(9, wbits=-15)
    thousand = packer.compress(bytes((side + 1) * 1000)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = packer.flush()
    checksum = ((side + 1) * side % 65_521) << 16 | 1  # Adler-32 of so many zeros
    rows = b"\x78\xda" + thousand * (side // 1000) + end + struct.pack(">I", checksum)
    return png(side, side, rows)


def png_with_text_bomb(megabytes: int = 200) -> bytes:
    """A one-pixel PNG whose compressed comment unpacks to this many megabytes."""
    packer = zlib.compressobj(9)
    text = b"".join(packer.compress(bytes(1_000_000)) for _ in range(megabytes)) + packer.flush()
    comment = png_chunk(b"iTXt", b"Comment\0\1\0\0\0" + text)
    return png(1, 1, zlib.compress(b"\0\x80"), comment)


def jpeg_with_many_scans(scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    whole = encoded(corners(), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * scans + b"\xff\xd9"


def jpeg_with_exif(exif: bytes) -> bytes:
    """A sound JPEG with this EXIF block, one segment (64 KiB) at most, or a broken one."""
    whole = sound("JPEG")
    segment = b"Exif\0\0" + exif
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + whole[2:]


def turned(kind: str, orientation: int) -> bytes:
    """A file that asks to be shown turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(corners(), kind, quality=95, exif=exif.tobytes())


def swapped_profile() -> bytes:
    """An ICC profile whose red and blue primaries are exchanged, so that using it shows."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    tags = {bytes(profile[at : at + 4]): at + 4 for at in range(132, 132 + 12 * count, 12)}
    red, blue = (slice(tags[name], tags[name] + 8) for name in (b"rXYZ", b"bXYZ"))
    profile[red], profile[blue] = profile[blue], profile[red]
    renamed = bytes(profile).replace(b"sRGB", b"swap")
    return renamed.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
