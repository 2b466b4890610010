"""Still pictures are opened in processes of their own; whatever one does there costs itself alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.image import open_image
from postscope.indexing.media.sandbox.pool import Sandbox, SandboxDown
from postscope.indexing.media.stills import Stills
from tests import av_files, hostile_pictures
from tests.media_files import animated, corners, encoded, jpeg_with_many_scans, png_bomb, png_with_text_bomb, sound

PIXELS = 1_000_000


def opened(*, seconds: float = 20.0, size: int = 1, max_pixels: int = PIXELS, memory: int = 1024**3) -> Stills:
    return Stills(Sandbox("pictures", size=size, memory_bytes=memory, nice=0), max_pixels=max_pixels, seconds=seconds)


@pytest.fixture(scope="module")
def stills() -> Iterator[Stills]:
    made = opened()
    yield made
    made.close()


@pytest.fixture
def holed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stills]:
    """Opened by decoders with holes, with a second for each."""
    hostile_pictures.use(monkeypatch)
    made = opened(seconds=1.0)
    made.warm()
    yield made
    made.close()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_a_picture_is_the_same_as_if_it_were_opened_here(stills: Stills, kind: str, tmp_path: Path) -> None:
    data = sound(kind, 400, 300)
    here = open_image(data, max_pixels=PIXELS, target=100)
    file = tmp_path / "picture"
    file.write_bytes(data)
    for there in (stills.open(data, target=100), stills.open(file, target=100)):
        assert (there.mode, there.size) == ("RGB", here.size)
        assert there.tobytes() == here.tobytes()
    info = stills.inspect(data, claimed="image/x-other")
    assert (info.kind, info.width, info.height) == ("image", 400, 300)
    assert info.mislabelled


def test_a_picture_of_more_bytes_than_a_message_comes_whole() -> None:
    large = opened(max_pixels=30_000_000)
    data = encoded(Image.effect_noise((6_000, 4_000), 90).convert("RGB"), "JPEG", quality=20)
    try:
        assert large.open(data, target=4_000).size == (6_000, 4_000)
    finally:
        large.close()


def test_videos_and_sounds_are_told_without_a_process_and_animations_with_one(stills: Stills) -> None:
    assert stills.inspect(av_files.video(seconds=1.0)).kind == "video"
    assert stills.inspect(animated("GIF", 4)).kind == "video"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\xff\xd8\xff\xe0 and nothing behind it", "truncated"),
        (sound("JPEG")[:400], "truncated"),
        (sound("PNG").replace(b"IDAT", b"IDAT"[::-1]), "corrupt"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported"),
        (png_bomb(), "too_many_pixels"),
        (jpeg_with_many_scans(400), "corrupt"),
        (encoded(corners(1_200, 900), "JPEG"), "too_many_pixels"),
    ],
    ids=["empty", "head", "cut", "no data", "svg", "bomb", "scans", "pixels"],
)
def test_what_is_no_sound_picture_says_why(stills: Stills, data: bytes, code: str) -> None:
    with pytest.raises(MediaError) as refused:
        stills.open(data, target=64)
    assert (refused.value.code, bool(refused.value.reason)) == (code, True)
    assert stills.open(sound("PNG"), target=64).size == (64, 48)


def test_more_bytes_than_allowed_are_not_read(stills: Stills) -> None:
    with pytest.raises(MediaError) as refused:
        stills.inspect(sound("PNG"), max_bytes=20)
    assert refused.value.code == "too_large"


def test_bombs_that_unpack_to_much_end_with_a_reason_or_a_picture() -> None:
    small = opened(max_pixels=10**9, memory=400 * 1024**2)
    try:
        with pytest.raises(MediaError) as refused:
            small.open(png_bomb(), target=64)
        assert refused.value.code in ("out_of_memory", "decoder_crashed")
        with pytest.raises(MediaError):
            small.open(png_with_text_bomb(600), target=64)
        assert small.open(sound("PNG"), target=64).size == (64, 48)
    finally:
        small.close()


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        (hostile_pictures.LOOP, {"too_slow"}),
        (hostile_pictures.SLEEP, {"too_slow"}),
        (hostile_pictures.ALLOCATE, {"out_of_memory", "decoder_crashed"}),
        (hostile_pictures.CRASH, {"decoder_crashed"}),
        (hostile_pictures.LIE, {"corrupt"}),
        (hostile_pictures.FLOOD, {"corrupt"}),
    ],
    ids=["loop", "sleep", "allocate", "crash", "lie", "flood"],
)
def test_a_picture_that_takes_its_decoder_over_is_refused_and_the_next_is_opened(
    holed: Stills, data: bytes, codes: set[str]
) -> None:
    started = time.monotonic()
    with pytest.raises(MediaError) as refused:
        holed.open(data, target=64)
    assert refused.value.code in codes
    assert time.monotonic() - started < 20
    assert holed.open(sound("JPEG"), target=64).size == (64, 48)


def test_a_header_that_takes_its_reader_over_is_refused(holed: Stills) -> None:
    for data, code in ((hostile_pictures.CRASH, "decoder_crashed"), (hostile_pictures.LIE, "corrupt")):
        with pytest.raises(MediaError) as refused:
            holed.inspect(data)
        assert refused.value.code == code
    assert holed.inspect(sound("JPEG")).width == 64


def test_a_picture_that_hangs_delays_only_its_own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile_pictures.use(monkeypatch)
    two = opened(seconds=20.0, size=2)
    try:
        with ThreadPoolExecutor(1) as pool:
            stuck = pool.submit(two.open, hostile_pictures.SLEEP, target=64)
            for _ in range(3):
                assert two.open(sound("PNG"), target=64).size == (64, 48)
            assert not stuck.done()
            two.close()
            with pytest.raises(SandboxDown):
                stuck.result(timeout=20)
    finally:
        two.close()
