from __future__ import annotations

import random
import resource
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from postscope.indexing.media import errors
from postscope.indexing.media.image import ImageInfo, inspect_image, open_image
from postscope.indexing.media.sniff import IMAGE_TYPES, mislabel, sniff
from tests import media_files as make

KINDS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
PIXELS = 50_000_000
each_kind = pytest.mark.parametrize("kind", KINDS)


def opened(data: bytes | Path, target: int = 224) -> Image.Image:
    return open_image(data, max_pixels=PIXELS, target=target)


def near(image: Image.Image, at: tuple[float, float], colour: tuple[int, int, int]) -> bool:
    """Whether the pixel at these parts of width and height has about this colour."""
    x, y = int(image.width * at[0]), int(image.height * at[1])
    return bool(np.abs(np.asarray(image)[y, x].astype(int) - colour).max() < 40)


UPPER_LEFT, UPPER_RIGHT, LOWER_LEFT, LOWER_RIGHT = (0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)


def assert_upright(image: Image.Image) -> None:
    assert near(image, UPPER_LEFT, make.RED)
    assert near(image, UPPER_RIGHT, make.GREEN)
    assert near(image, LOWER_LEFT, make.BLUE)
    assert near(image, LOWER_RIGHT, (255, 255, 255))


# --- sound files ----------------------------------------------------------------------------------


@each_kind
def test_every_type_opens_and_keeps_its_colours(kind: str) -> None:
    data = make.sound(kind)
    assert inspect_image(data) == ImageInfo(KINDS[kind], 64, 48, 1)
    image = opened(data)
    assert (image.mode, image.size) == ("RGB", (64, 48))
    assert_upright(image)


@each_kind
def test_a_path_is_as_good_as_bytes(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "picture.wrong"
    file.write_bytes(make.sound(kind))
    assert np.array_equal(np.asarray(opened(file)), np.asarray(opened(file.read_bytes())))


@each_kind
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1)])
def test_one_pixel_wide_or_high(kind: str, size: tuple[int, int]) -> None:
    assert opened(make.sound(kind, *size)).size == size


@each_kind
def test_a_large_picture_comes_down_but_not_below_the_target(kind: str) -> None:
    image = opened(make.sound(kind, 1600, 1200), target=224)
    assert 224 <= min(image.size) < 448
    assert image.width / image.height == pytest.approx(4 / 3, rel=0.02)
    assert_upright(image)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_the_first_frame_of_an_animation(kind: str) -> None:
    data = make.animated(kind)
    assert inspect_image(data).frames == 3
    assert near(opened(data), (0.5, 0.5), make.RED)


STORED_AS = {  # the inverse of what the orientation asks the viewer to do (EXIF 2.32, tag 0x0112)
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    stored = make.corners()
    if orientation in STORED_AS:
        stored = stored.transpose(STORED_AS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = make.encoded(stored, kind, quality=95, exif=exif.tobytes())
    assert (inspect_image(data).width, inspect_image(data).height) == (64, 48)
    assert_upright(opened(data))


# --- colour modes ---------------------------------------------------------------------------------


def test_transparent_parts_are_white() -> None:
    for mode in ("RGBA", "LA", "PA"):
        clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0)).convert("LA" if mode == "LA" else "RGBA")
        data = make.encoded(clear, "PNG")
        assert near(opened(data), (0.5, 0.5), (255, 255, 255)), mode


def test_half_transparent_black_is_grey() -> None:
    half = Image.new("RGBA", (20, 20), (0, 0, 0, 128))
    for kind in ("PNG", "WEBP", "AVIF"):
        assert near(opened(make.encoded(half, kind)), (0.5, 0.5), (127, 127, 127)), kind


def test_palette_with_a_transparent_colour() -> None:
    picture = make.corners().quantize(8)
    for kind in ("PNG", "GIF"):
        data = make.encoded(picture, kind, transparency=picture.getpixel((5, 5)))
        image = opened(data)
        assert near(image, UPPER_LEFT, (255, 255, 255)), kind
        assert near(image, UPPER_RIGHT, make.GREEN), kind


def test_sixteen_bit_grey_is_scaled_and_not_cut_off() -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16)[None, :].repeat(16, axis=0)
    image = opened(make.encoded(Image.fromarray(ramp), "PNG"))
    assert np.asarray(image)[0, :, 0] == pytest.approx(np.arange(256), abs=1)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_other_modes_become_rgb(mode: str) -> None:
    data = make.encoded(make.corners().convert(mode), "JPEG" if mode in ("CMYK", "YCbCr") else "PNG")
    image = opened(data)
    assert image.mode == "RGB"
    assert near(image, LOWER_RIGHT, (255, 255, 255))
    if mode in ("P", "CMYK", "YCbCr"):
        assert_upright(image)


def test_an_embedded_profile_is_used() -> None:
    data = make.encoded(make.corners(), "PNG", icc_profile=make.swapped_profile())
    image = opened(data)
    red, blue = np.asarray(image)[5, 5].astype(int), np.asarray(image)[-5, 5].astype(int)
    assert red[2] > red[0]
    assert blue[0] > blue[2]


@pytest.mark.parametrize("profile", [b"no profile", bytes(4000), make.swapped_profile()[:300]])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    assert_upright(opened(make.encoded(make.corners(), "JPEG", quality=95, icc_profile=profile)))


def test_a_profile_whose_description_promises_millions_of_languages() -> None:
    profile = bytearray(make.swapped_profile())
    profile[profile.index(b"mluc") + 9] = 0xFF
    data = make.encoded(make.corners(), "PNG", icc_profile=bytes(profile))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert near(opened(data), LOWER_RIGHT, (255, 255, 255))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_grey_picture_with_a_profile_for_colours() -> None:
    data = make.encoded(make.corners().convert("L"), "PNG", icc_profile=make.swapped_profile())
    assert opened(data).mode == "RGB"


# --- refused, with a reason -----------------------------------------------------------------------


def test_zero_bytes() -> None:
    with pytest.raises(errors.EmptyMedia, match="empty"):
        opened(b"")


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (b"<!DOCTYPE html><html><body>404</body></html>", "text/html"),
        (b"\n <html lang=de>", "text/html"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  ", "video/quicktime"),
        (b"\x1aE\xdf\xa3\x01\x00", "video/webm"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "video/x-msvideo"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"OggS\x00\x02", "application/ogg"),
        (b"II*\x00\x08\x00", "image/tiff"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "application/postscript"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b\x08\x00", "application/gzip"),
        (b'{"error": "not found"}', "application/json"),
        ("Grüße aus Köln, nur Text".encode(), "text/plain"),
        (b"\x00\x01\x02\x03 nothing known", None),
    ],
)
def test_no_image(content: bytes, mime: str | None) -> None:
    with pytest.raises(errors.UnsupportedMedia) as caught:
        opened(content)
    assert caught.value.mime == mime
    assert mime is None or mime in caught.value.reason
    with pytest.raises(errors.UnsupportedMedia):
        inspect_image(content)


def test_a_mislabelled_image_opens_as_what_it_is() -> None:
    info = inspect_image(make.sound("PNG"), claimed="image/jpeg; charset=binary")
    assert info.mime == "image/png"
    assert info.mislabelled == "labelled image/jpeg, and is image/png"


@pytest.mark.parametrize("claimed", [None, "", "image/png", "IMAGE/PNG; a=b", "application/octet-stream"])
def test_a_right_or_empty_label_is_no_mislabel(claimed: str | None) -> None:
    assert mislabel(claimed, "image/png") is None


def test_twenty_thousand_pixels_square_is_refused_from_its_header() -> None:
    bomb = make.png_bomb(20_000)
    assert len(bomb) < 500_000
    with pytest.raises(errors.TooManyPixels, match="20000 x 20000"):
        opened(bomb)
    assert inspect_image(bomb).width == 20_000


@each_kind
def test_the_pixel_limit_is_exact(kind: str) -> None:
    data = make.sound(kind)
    assert open_image(data, max_pixels=64 * 48, target=32).size[1] >= 32
    with pytest.raises(errors.TooManyPixels):
        open_image(data, max_pixels=64 * 48 - 1, target=32)


def test_pillows_own_limit_is_neither_used_nor_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert opened(make.sound("PNG")).size == (64, 48)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_bomb_in_a_comment() -> None:
    data = make.png_with_text_bomb()
    assert len(data) < 300_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(errors.CorruptMedia):
        opened(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB; unpacked it is 200 MB


def test_a_webp_that_promises_much_takes_no_memory() -> None:
    header = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (13_000 - 1).to_bytes(3, "little") * 2
    data = b"RIFF" + struct.pack("<I", len(header) + 4) + b"WEBP" + header
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(errors.MediaError):
        opened(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_thousands_of_scans() -> None:
    assert_upright(opened(make.jpeg_with_many_scans(3)))
    with pytest.raises(errors.CorruptMedia, match="scans"):
        opened(make.jpeg_with_many_scans(5_000))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "exif",
    [b"", b"MM", b"MM\0*" + b"\xff" * 60_000, b"II*\0\x08\0\0\0\xff\xff" + b"\1\2" * 30_000],
    ids=["empty", "two bytes", "no directory", "65,535 entries"],
)
def test_a_huge_or_broken_exif_block_does_not_matter(exif: bytes) -> None:
    assert_upright(opened(make.jpeg_with_exif(exif)))


@each_kind
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated(kind: str, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    data = make.encoded(Image.fromarray(noise), kind)
    with pytest.raises(errors.TruncatedMedia, match="ends too early"):
        opened(data[: int(len(data) * part)])


def test_corrupted() -> None:
    data = make.png(50, 50, b"\x78\x9c" + b"\xff" * 200)
    assert inspect_image(data).width == 50  # the header is fine, and nothing else is read
    with pytest.raises(errors.CorruptMedia, match="image/png"):
        opened(data)


@each_kind
def test_nothing_but_a_beginning(kind: str) -> None:
    for length in (12, 16, 30):
        with pytest.raises(errors.MediaError):
            opened(make.sound(kind)[:length])


def test_more_bytes_than_allowed(tmp_path: Path) -> None:
    file = tmp_path / "big"
    with file.open("wb") as out:
        out.truncate(1 << 40)  # sparse: reading it would take all memory
    with pytest.raises(errors.MediaTooLarge, match="limit"):
        opened(file)


def test_codes_are_stable() -> None:
    kinds = errors.MediaError.__subclasses__()
    assert {kind.code for kind in kinds} == {
        "empty", "unsupported", "unsupported_codec", "encrypted", "too_large", "too_long", "too_many_pixels",
        "truncated", "corrupt", "too_slow", "out_of_memory", "decoder_crashed",
    }  # fmt: skip


# --- properties -----------------------------------------------------------------------------------

SMALL = {kind: make.sound(kind) for kind in KINDS}


def opens_or_says_why(data: bytes) -> None:
    try:
        image = open_image(data, max_pixels=1_000_000, target=32)
    except errors.MediaError:
        return
    assert image.mode == "RGB"


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    mime = sniff(data)
    assert mime is None or "/" in mime
    opens_or_says_why(data)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.integers(), st.integers(1, 20), st.booleans())
def test_mutated_files(kind: str, seed: int, changes: int, cut: bool) -> None:
    chance, data = random.Random(seed), bytearray(SMALL[kind])
    for _ in range(changes):
        data[chance.randrange(len(data))] = chance.randrange(256)
    if cut:
        del data[chance.randrange(len(data)) :]
    opens_or_says_why(bytes(data))


def test_nothing_heavy_is_imported_and_nothing_registered() -> None:
    code = (
        "import sys, postscope.indexing.media.image\n"
        "assert 'pillow_heif' not in sys.modules\n"
        "from PIL import Image\n"
        "assert 'HEIF' not in Image.OPEN"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_understood_type_has_a_case() -> None:
    assert set(KINDS.values()) | {"image/heif"} == IMAGE_TYPES
