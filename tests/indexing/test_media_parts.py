from __future__ import annotations

from PIL import Image

from postscope.indexing.media.parts import Frame, Written, over_time

PICTURE = Image.new("RGB", (4, 4))
BOX = (((0.1, 0.1), (0.9, 0.1), (0.9, 0.2), (0.1, 0.2)),)


def frames(*seconds: float) -> list[Frame]:
    return [Frame(number, at, PICTURE) for number, at in enumerate(seconds)]


def written(text: str) -> Written:
    return Written(text, BOX, None, None, 0.9)


def test_a_text_that_stays_is_told_once_with_its_time() -> None:
    found = over_time(frames(0, 4, 8), [[written("SALE")], [written("Sale "), written("now")], [written("now")]])
    assert [(text.text, text.start, text.end) for text in found] == [("SALE", 0, 4), ("now", 4, 8)]


def test_a_text_that_comes_back_is_told_again() -> None:
    found = over_time(frames(0, 1, 2), [[written("one")], [], [written("one")]])
    assert [(text.start, text.end) for text in found] == [(0, 0), (2, 2)]


def test_nothing_written_and_no_frames() -> None:
    assert over_time([], []) == []
    assert over_time(frames(0, 1), [[], []]) == []
