from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.indexing.copies.texts import compare_texts, text_print
from tests.benchmarks.text_edits import EDITS

TEXT = "Volunteers along the northern shore counted forty seven grey seals before the fog came in yesterday"


def compare(one: str, other: str):
    return compare_texts(text_print(one), text_print(other))


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_text_is_a_copy_both_ways(name: str) -> None:
    edited = EDITS[name](TEXT, random.Random(4))
    there, back = compare(edited, TEXT), compare(TEXT, edited)
    assert there is not None
    assert back is not None
    assert there.score == back.score >= 0.5
    assert there.changes == back.undone


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Good morning", "Good morning"),
        ("ok", "ok"),
        ("", ""),
        ("@mara @jonas @lee thanks", "@mara @jonas @lee thanks"),
        ("https://example.org/a/very/long/path", "https://example.org/a/very/long/path"),
        (TEXT, "Volunteers in the old town counted bicycles all day, then the rain came and they went home again"),
    ],
)
def test_texts_that_say_little_or_something_else_are_none(one: str, other: str) -> None:
    assert compare(one, other) is None


def test_the_same_words_score_one() -> None:
    found = compare("RT @mara: " + TEXT.upper() + "!!!", TEXT)
    assert found is not None
    assert found.score == 1.0
    assert found.detail["same_words"]


def test_scripts_without_spaces() -> None:
    told = "昨日の夕方、港の近くで大きな虹が見えたので、みんなで写真を撮りました"
    assert compare(told + "！！ #虹", told) is not None
    assert compare(told, "明日の朝は駅前の広場で小さな市場が開かれ、野菜と果物が安く買えるそうです") is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_texts_are_defined(one: str, other: str) -> None:
    there, back = compare(one, other), compare(other, one)
    assert (there is None) == (back is None)
    if there is not None:
        assert 0.5 <= there.score <= 1
