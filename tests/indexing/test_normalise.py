from __future__ import annotations

import sys
import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from postscope.indexing.normalise import MAX_MARKS, normalise, storable

any_text = st.text(st.characters(), max_size=80)
tricky = st.text(
    st.sampled_from(list("aابکक़्01éeº \u0301\u0323\u0344\u200b\u200c\u200d\u2060\ufe0f\ufe0e\x00\ud83d👩🏽🚀🏴"))
    | st.characters(min_codepoint=0xE0020, max_codepoint=0xE007F),
    max_size=60,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \t\r\n ", ""),
        ("a\u3000b\u00a0 c\u2028d\n", "a b c d"),
        ("a\x00b\x1b[31m\x7f", "ab[31m"),
        ("fr\u200bee\u200d mo\u00adn\u2060ey\ufeff", "free money"),
        ("\u202eevil\u202c \u200fשלום\u200e", "evil שלום"),
        ("hi\U000e0049\U000e0047\U000e004e", "hi"),
        ("\u3164\u115f\u2800 ", ""),
        ("cafe\u0301", "café"),
        ("half \ud83d pair", "half pair"),
        ("\ufdd0\uffff", ""),
    ],
)
def test_what_cannot_be_seen_is_taken_out(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "👨‍👩‍👧‍👦",
        "👩🏽‍🚀",
        "❤️‍🔥",
        "1️⃣",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "می‌خواهم",
        "क्‍ष",
        "ที่นี่",
        "e\N{COMBINING TILDE BELOW}\N{COMBINING CARON BELOW}",
    ],
)
def test_joiners_and_marks_that_mean_something_stay(text: str) -> None:
    assert normalise(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0301\u0323" * 50_000,
        "\u200d" * 100_000,
        "\U0001f3f4" + "\U000e0041" * 100_000,
        "ا" + "\u064b" * 100_000 + "\u200c",
        "ب" + "\u064b\u200c" * 50_000,
        "👩‍" * 50_000,
    ],
    ids=["piled marks", "joiners", "tags", "vowel signs", "non-joiners", "joined emoji"],
)
@pytest.mark.timeout(20)
def test_a_hundred_thousand_of_the_worst_characters_end(text: str) -> None:
    assert len(normalise(text)) <= len(text)


def test_piled_marks_are_cut() -> None:
    assert normalise("z" + "\u0363" * 500) == "z" + "\u0363" * MAX_MARKS


@given(any_text | tricky)
def test_the_second_time_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == once.strip()
    once.encode()


@given(st.text(st.sampled_from("abc é漢字ก 🔥"), max_size=30))
def test_visible_text_only_loses_white_space(text: str) -> None:
    assert normalise(text) == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("as it  came\u200b\n", "as it  came\u200b\n"),
        ("a\x00b", "a\ufffdb"),
        ("\ud800x", "\ufffdx"),
        ("x\udfff", "x\ufffd"),
        ("\ud83d\ude00", "😀"),
    ],
)
def test_storable_replaces_only_what_the_database_refuses(text: str, expected: str) -> None:
    assert storable(text) == expected


@given(any_text | tricky)
def test_storable_can_be_stored_and_is_otherwise_the_same(text: str) -> None:
    stored = storable(text)
    assert "\x00" not in stored
    stored.encode()
    if "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text):
        assert stored == text


def test_nothing_hidden_is_overlooked_for_speed() -> None:
    """All that Unicode calls invisible, each alone: the fast check in front of the full one must let none through."""
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    classes = r"[\p{Cf}\p{Cs}\p{Noncharacter_Code_Point}\p{Variation_Selector}[\p{Cc}--\s]]"
    hidden = regex.findall(classes, everything, regex.VERSION1)
    assert len(hidden) > 2_000
    assert [hex(ord(letter)) for letter in hidden if normalise(f"a{letter}b") not in ("ab", f"a{letter}b")] == []
    kept = [letter for letter in hidden if normalise(f"a{letter}b") != "ab"]
    assert all(regex.match(r"\p{Prepended_Concatenation_Mark}", letter) for letter in kept)
