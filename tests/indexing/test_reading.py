"""Pictures are read in a process of its own, with a time for each."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from postscope.indexing.build import open_reader
from postscope.indexing.encoders.base import EncoderUnavailable
from postscope.indexing.media.errors import TooSlow
from postscope.indexing.media.parts import PictureReader
from postscope.indexing.media.reading import Reading
from postscope.indexing.media.sandbox.pool import SandboxDown
from tests import slow_reading


def opened(detector: Path | None = None, *, seconds: float = 60.0) -> PictureReader:
    return open_reader(detector, None, threads=1, min_confidence=0.9, max_side=640, seconds=seconds, processes=1)


def caption(words: str) -> Image.Image:
    image = Image.new("RGB", (640, 240), (40, 60, 90))
    ImageDraw.Draw(image).text((320, 120), words, "white", ImageFont.load_default(44), "mm")
    return image


@pytest.fixture(scope="module")
def reader() -> Iterator[PictureReader]:
    made = opened()
    yield made
    made.close()


def test_what_is_written_comes_back_with_its_place(reader: PictureReader) -> None:
    nothing, something = reader.read([Image.new("RGB", (64, 64)), caption("HARBOUR DAYS")])
    assert nothing == []
    (written,) = something
    assert written.text == "HARBOUR DAYS"
    assert written.confidence > 0.9
    assert all(0 <= value <= 1 for corner in written.boxes[0] for value in corner)
    assert reader.read([]) == []


def test_it_makes_way_for_whoever_serves(reader: PictureReader) -> None:
    assert isinstance(reader, Reading)
    reader.read([Image.new("RGB", (64, 64))])
    (child,) = reader.sandbox.processes()
    assert os.getpriority(os.PRIO_PROCESS, child) == os.getpriority(os.PRIO_PROCESS, 0) + 10
    group = Path(f"/proc/{child}/autogroup")
    if group.exists() and (said := group.read_text().split()):
        assert said[-1] == "10", "nice among the processes of its session alone is nice to nobody"


def test_a_picture_that_takes_too_long_is_given_up_and_the_next_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_reading.use(monkeypatch)
    short = opened(seconds=1.0)
    try:
        short.read([Image.new("RGB", (64, 64))])
        started = time.monotonic()
        with pytest.raises(TooSlow):
            short.read([Image.new("RGB", (64, 64), (230, 10, 10))])
        assert time.monotonic() - started < 15
        assert short.read([Image.new("RGB", (64, 64))])[0][0].text == "WORD"
    finally:
        short.close()


def test_a_network_that_is_none_is_no_fault_of_the_picture(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match="no model"):
        opened(tmp_path / "missing.onnx")
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"no network")
    reader = opened(wrong)
    try:
        with pytest.raises(SandboxDown, match="cannot load"):
            reader.read([Image.new("RGB", (64, 64))])
    finally:
        reader.close()
