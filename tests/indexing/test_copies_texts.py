from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.indexing.copies.runs import edits_in_run
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


@pytest.mark.parametrize(
    ("edited", "told"),
    [
        ("@harbour way to take advantage …", "@harbour way to take advantage of #GullWeek :)"),
        ("@harbour @mara HAPPY SEAL DAY http://t.co/abc", "@harbour @mara happy seal day"),
        ("RT @someone: @harbour great, will do once I land", "@harbour great will do once I land"),
        (
            "“@harbour 4467 and 152 on 2/25 and 503 on 2/26” — can you believe it? So true, we saw it too",
            "@harbour 4467 and 152 on 2/25 and 503 on 2/26",
        ),
        ("@habrour @mara You coul dhave just said no thanks", "@harbour @mara You could have just said no thanks"),
    ],
)
def test_short_texts_are_copies_where_one_stands_in_the_other(edited: str, told: str) -> None:
    for found in (compare(edited, told), compare(told, edited)):
        assert found is not None
        assert found.score >= 0.5


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "@harbour great customer service, thanks",
            "@mara thank you for great customer service, but the boat to the "
            "island was late again, and nobody at the desk knew why",
        ),
        ("@harbour thank you!", "@harbour thank you for the quick reply"),
        ("@harbour ok thank you", "@harbour ok thank you, what do I do if nobody comes to the pier before noon today?"),
        ("@harbour now on hold for 75 minutes", "@harbour now on hold for 90 minutes"),
        ("@harbour great flight and crew", "@mara great flight and crew"),
        ("Good morning all", "Good morning friends, the ferry to the island leaves at nine from the old pier"),
    ],
)
def test_a_phrase_that_anybody_uses_makes_no_copy(one: str, other: str) -> None:
    assert compare(one, other) is None
    assert compare(other, one) is None


@given(st.text("abc", max_size=9), st.text("abc", max_size=14))
def test_errors_in_a_run_are_the_fewest_there_can_be(part: str, whole: str) -> None:
    rows: list[list[int]] = [list(range(len(part) + 1))]
    for column, letter in enumerate(whole, 1):
        row = [0]
        for place, own in enumerate(part, 1):
            row.append(min(rows[-1][place] + 1, row[-1] + 1, rows[-1][place - 1] + (own != letter)))
            if place > 1 and column > 1 and (part[place - 2], own) == (letter, whole[column - 2]):
                row[place] = min(row[place], rows[-2][place - 2] + 1)
        rows.append(row)
    assert edits_in_run(part, whole) == min(row[-1] for row in rows)
