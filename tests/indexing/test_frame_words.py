from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from postscope.indexing.media.errors import TooSlow
from postscope.indexing.media.frame_words import read_frames
from postscope.indexing.media.parts import Box, Frame, PictureReader, Written

BOX: Box = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.2), (0.1, 0.2))


class Script:
    """Reads of a picture what a script says is on pictures of its shade."""

    def __init__(self, *pages: list[str]) -> None:
        self.pages = pages
        self.read_shades: list[int] = []

    def read(self, images: Sequence[Image.Image]) -> list[list[Written]]:
        found = []
        for image in images:
            shade = int(np.asarray(image)[0, 0, 0])
            self.read_shades.append(shade)
            lines = self.pages[shade // 20]
            found.append([Written("\n".join(lines), (BOX,) * len(lines), None, None, 0.95)] if lines else [])
        return found

    def close(self) -> None:
        """Nothing is held."""


def frames(*pages: int) -> list[Frame]:
    return [Frame(n, 2.0 * n, Image.new("RGB", (64, 48), (20 * page,) * 3)) for n, page in enumerate(pages)]


def spans(written: Sequence[Written]) -> list[tuple[str, float | None, float | None]]:
    return [(text.text, text.start, text.end) for text in written]


def read(reader: PictureReader, shown: Sequence[Frame]) -> list[Written]:
    found = read_frames(reader, shown)
    assert (found.problem, found.read) == (None, len(shown))
    return found.written


def test_a_caption_that_stands_is_read_once_and_is_one_entry() -> None:
    script = Script(["HELLO WORLD"])
    assert spans(read(script, frames(*[0] * 10))) == [("HELLO WORLD", 0.0, 18.0)]
    assert script.read_shades == [0]


def test_a_caption_stands_while_the_picture_changes_behind_it() -> None:
    script = Script(["HELLO WORLD"], ["HELLO WORLD"], [])
    assert spans(read(script, frames(0, 1, 0, 2))) == [("HELLO WORLD", 0.0, 4.0)]


def test_a_letter_misread_in_one_frame_does_not_make_another_line() -> None:
    script = Script(["breaking news"], ["breaking nevs"], ["BREAKING NEWS"])
    assert len(read(script, frames(0, 1, 2))) == 1


def test_lines_that_come_and_go_together_are_one_text_and_others_are_not() -> None:
    script = Script(["Channel 5", "one", "two words"], ["Channel 5", "three"])
    assert spans(read(script, frames(0, 1))) == [
        ("one\ntwo words", 0.0, 0.0), ("Channel 5", 0.0, 2.0), ("three", 2.0, 2.0),
    ]  # fmt: skip


def test_a_text_that_comes_back_is_two_entries() -> None:
    script = Script(["HELLO WORLD"], [])
    assert spans(read(script, frames(0, 1, 0))) == [("HELLO WORLD", 0.0, 0.0), ("HELLO WORLD", 4.0, 4.0)]


def test_the_same_line_twice_in_a_picture_is_two_lines() -> None:
    assert spans(read(Script(["ha", "ha"]), frames(0, 0))) == [("ha\nha", 0.0, 2.0)]


def test_no_frames_say_nothing() -> None:
    assert read(Script(), []) == []


def test_a_changed_line_of_subtitles_is_noticed() -> None:
    from PIL import ImageDraw, ImageFont

    class Counting:
        count = 0

        def read(self, images: Sequence[Image.Image]) -> list[list[Written]]:
            self.count += len(images)
            return [[] for _ in images]

        def close(self) -> None:
            """Nothing is held."""

    def subtitled(words: str) -> Image.Image:
        image = Image.new("RGB", (640, 360), (90, 110, 70))
        ImageDraw.Draw(image).text((320, 330), words, "white", ImageFont.load_default(22), "mm")
        return image

    reader = Counting()
    read(reader, [Frame(n, float(n), subtitled(words)) for n, words in enumerate(["we go north", "we stay here"])])
    assert reader.count == 2


class Slow(Script):
    """Takes too long for pictures of the second shade."""

    def read(self, images: Sequence[Image.Image]) -> list[list[Written]]:
        if any(int(np.asarray(image)[0, 0, 0]) == 20 for image in images):
            raise TooSlow("it takes more than its time")
        return super().read(images)


def test_a_frame_that_takes_too_long_hides_no_other_and_is_said() -> None:
    found = read_frames(Slow(["ONE"], ["never"], ["THREE"]), frames(0, 1, 2))
    assert spans(found.written) == [("ONE", 0.0, 0.0), ("THREE", 4.0, 4.0)]
    assert (found.problem.code if found.problem else None, found.read) == ("too_slow", 2)


def test_no_frame_is_begun_after_its_time() -> None:
    script = Script(["ONE"], ["TWO"])
    found = read_frames(script, frames(0, 1), ends=time.monotonic() - 1)
    assert (found.written, found.read, script.read_shades) == ([], 0, [])
    assert found.problem is not None
    assert found.problem.code == "too_slow"


@given(st.lists(st.integers(0, 3), max_size=12))
def test_every_line_is_there_when_it_was_shown(pages: list[int]) -> None:
    script = Script(["alpha bravo"], ["zulu yankee", "alpha bravo"], [], ["1234567"])
    found = read(script, frames(*pages))
    for n, page in enumerate(pages):
        for line in script.pages[page]:
            assert any(
                line in text.text.split("\n") and text.start <= 2.0 * n <= text.end  # type: ignore[operator]
                for text in found
            )
    assert [text.start for text in found] == sorted(text.start for text in found)  # type: ignore[type-var]
