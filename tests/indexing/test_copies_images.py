from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from postscope.indexing.copies.images import AskedImage, KeptImage, asked_image, compare_images
from postscope.indexing.copies.looks import look_at, unpack
from postscope.indexing.copies.scenes import framed
from postscope.sample import sample_dir
from tests.benchmarks.image_edits import EDITS, screenshot

FILES = sorted((sample_dir() / "images").glob("*"))
FAINT = ("quarter of the size", "screenshot at a third", "blur")


def photo(number: int) -> Image.Image:
    return Image.open(FILES[number]).convert("RGB")


def kept(image: Image.Image) -> KeptImage:
    asked: AskedImage = asked_image(image)
    return KeptImage(asked.turned[0], asked.quality, unpack(asked.look.less().pack()))


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_picture_is_a_copy(name: str) -> None:
    found = [
        compare_images(asked_image(EDITS[name](photo(n), np.random.default_rng(n))), kept(photo(n)))
        for n in (3, 40, 77)
    ]
    assert sum(verdict is not None for verdict in found) >= (2 if name in FAINT else 3)
    assert all(0.5 <= verdict.score <= 1 for verdict in found if verdict is not None)


def test_other_pictures_are_none() -> None:
    asked = [asked_image(photo(number)) for number in range(0, 60, 6)]
    others = [kept(photo(number)) for number in range(61, 120, 6)]
    assert [compare_images(one, other) for one in asked for other in others] == [None] * 100


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mirrored", "mirrored"),
        ("crop of 50%", "cropped to"),
        ("turned by 90 degrees", "turned by 90 degrees"),
        ("caption bar", "set in a frame, border or caption"),
        ("grey", "colour removed"),
    ],
)
def test_it_says_what_was_likely_done(name: str, change: str) -> None:
    found = compare_images(asked_image(EDITS[name](photo(3), np.random.default_rng(0))), kept(photo(3)))
    assert found is not None
    assert any(said.startswith(change) for said in found.changes), found


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (9, 9), (640, 480)])
def test_pictures_that_show_nothing_are_copies_of_nothing(size: tuple[int, int]) -> None:
    blank = Image.new("RGB", size, "white")
    assert compare_images(asked_image(blank), kept(Image.new("RGB", size, "navy"))) is None
    assert compare_images(asked_image(blank), kept(photo(3))) is None
    assert compare_images(asked_image(photo(3)), kept(blank)) is None
    assert framed(blank) is None


def test_a_look_comes_back_as_it_was() -> None:
    look = look_at(photo(5))
    again = unpack(look.pack())
    assert (again.width, again.height, again.colour) == (look.width, look.height, look.colour)
    assert np.abs(again.places - look.places).max() < 0.01
    assert (again.features == look.features).all()
    assert (again.small == look.small).all()


@given(st.binary(max_size=200))
def test_other_bytes_are_no_look(data: bytes) -> None:
    with pytest.raises(ValueError, match="look"):
        unpack(data)


def test_the_picture_in_a_screenshot_is_found() -> None:
    image = photo(3)
    shot = screenshot(image)
    box = framed(shot)
    assert box is not None
    left, upper, right, lower = box
    x, y = (shot.width - image.width) // 2, int(shot.height * 0.2)
    shared = (min(right, x + image.width) - max(left, x)) * (min(lower, y + image.height) - max(upper, y))
    assert shared > 0.9 * image.width * image.height
    assert (right - left) * (lower - upper) < 0.75 * shot.width * shot.height


def test_fewer_features_are_the_strongest_of_every_size() -> None:
    many, few = look_at(photo(5), features=640), look_at(photo(5))
    assert (many.less().places == few.places).all()
    assert (many.less().features == few.features).all()
