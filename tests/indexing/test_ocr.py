from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from postscope.indexing.encoders.base import EncoderUnavailable
from postscope.indexing.media.ocr import OcrReader, ReaderModels
from postscope.indexing.media.reading_order import reading_order


@pytest.fixture(scope="module")
def reader() -> Iterator[OcrReader]:
    """Made and used where nothing can be downloaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", lambda *_: pytest.fail("something is downloaded"))
        yield OcrReader(threads=2)


def drawn(lines: list[tuple[str, tuple[int, int]]], *, angle: float = 0.0, size: int = 44) -> Image.Image:
    image = Image.new("RGB", (640, 480), (40, 60, 90))
    draw = ImageDraw.Draw(image)
    for words, at in lines:
        draw.text(at, words, "white", ImageFont.load_default(size), "mm", stroke_width=2, stroke_fill="black")
    return image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(40, 60, 90))


@pytest.mark.parametrize("angle", [0, 15, -15])
def test_a_caption_is_read_at_any_angle_of_a_meme(reader: OcrReader, angle: float) -> None:
    image = drawn([("NOBODY EXPECTS", (320, 90)), ("THE LIGHTHOUSE", (320, 400))], angle=angle)
    ((written,),) = reader.read([image])
    assert written.text == "NOBODY EXPECTS\nTHE LIGHTHOUSE"
    assert len(written.boxes) == 2
    assert written.confidence > 0.9
    assert (written.start, written.end) == (None, None)


def test_boxes_are_where_the_words_are(reader: OcrReader) -> None:
    ((written,),) = reader.read([drawn([("HARBOUR", (320, 120))])])
    xs, ys = zip(*written.boxes[0], strict=True)
    assert min(xs) < 0.5 < max(xs)
    assert min(ys) < 0.25 < max(ys)
    assert all(0 <= value <= 1 for value in (*xs, *ys))


def test_words_of_one_line_come_from_left_to_right(reader: OcrReader) -> None:
    ((written,),) = reader.read([drawn([("LEFT", (110, 240)), ("RIGHT", (520, 240))], angle=12)])
    assert written.text.split() == ["LEFT", "RIGHT"]


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (640, 4), "white"),
        Image.new("RGB", (20, 4000), "white"),
        Image.new("L", (64, 64), 128),
        Image.new("RGBA", (300, 200), (0, 0, 0, 0)),
        Image.new("P", (50, 50)),
        Image.fromarray(np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8)),
    ],
    ids=["pixel", "flat", "tall", "grey", "clear", "palette", "noise"],
)
def test_nothing_is_read_where_nothing_is_written(reader: OcrReader, image: Image.Image) -> None:
    assert reader.read([image]) == [[]]


def test_no_pictures_are_no_texts(reader: OcrReader) -> None:
    assert reader.read([]) == []


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "model.onnx"
    wrong.write_bytes(b"no model")
    with pytest.raises(EncoderUnavailable):
        OcrReader(ReaderModels(detector=wrong))


def box(x: float, y: float, width: float, height: float, angle: float = 0.0) -> np.ndarray:
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float64)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return corners @ turn


@pytest.mark.parametrize("degrees", [0, 15, -15, 40])
def test_rows_are_found_however_the_picture_is_turned(degrees: float) -> None:
    places = [(0, 0), (220, 3), (0, 60), (220, 58), (440, 61)]
    corners = np.stack([box(x, y, 200, 40, np.radians(degrees)) for x, y in places])
    assert reading_order(corners) == [[0, 1], [2, 3, 4]]


def test_nothing_has_no_order() -> None:
    assert reading_order(np.zeros((0, 4, 2))) == []


BOXES = st.builds(
    box, *(st.floats(0, 1000) for _ in range(2)), *(st.floats(0, 300) for _ in range(2)), st.floats(-0.5, 0.5)
)


@settings(max_examples=50)
@given(st.lists(BOXES, min_size=1, max_size=12))
def test_every_box_is_read_once(boxes: list[np.ndarray]) -> None:
    rows = reading_order(np.stack(boxes))
    assert sorted(itertools.chain.from_iterable(rows)) == list(range(len(boxes)))
    assert all(rows)
