from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.indexing.language import LanguageDetector
from postscope.sample import sample_dir

DETECTOR = LanguageDetector()


def code(text: str) -> str | None:
    return DETECTOR.detect(text).code


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The tide is out and the harbour is full of gulls", "en"),
        ("La marea ha bajado y el puerto está lleno de gaviotas", "es"),
        ("Das Konzert gestern war großartig", "de"),
        ("昨天的演唱会太精彩了", "zh"),
        ("ライブは最高だった", "ja"),
        ("東京の夜", "ja"),
        ("어제 공연 정말 좋았어요", "ko"),
        ("คอนเสิร์ตเมื่อคืนสุดยอดมาก", "th"),
        ("Η συναυλία ήταν υπέροχη", "el"),
        ("ההופעה הייתה נהדרת", "he"),
        ("الجمهور غنى كل الكلمات مع الفرقة", "ar"),
        ("Концерт был просто великолепный", "ru"),
    ],
)
def test_a_sentence_tells_its_language(text: str, language: str) -> None:
    assert code(text) == language


@pytest.mark.parametrize(
    "text", ["", " \n", "😂😂😂", "lol no", "ok", "12345 678", "@mara https://example.com/viele/worte", "猫"]
)
def test_what_is_too_short_is_unknown(text: str) -> None:
    assert code(text) is None


def test_addresses_handles_and_tags_say_nothing() -> None:
    plain = "Le concert était magnifique hier soir"
    assert code(f"{plain} https://example.com/the/best/show/in/town @theofficialband #thegreatestshowonearth") == "fr"


def test_shouting_changes_nothing() -> None:
    assert code("WER HAT MEINEN SCHWARZEN HUND GESEHEN") == "de"


def test_what_cannot_be_seen_changes_nothing() -> None:
    assert code("T\u200bh\u200be ti\u00adde is out and the har\u2060bour is full") == "en"


def test_a_japanese_name_does_not_make_a_chinese_text_japanese() -> None:
    assert code("今天我们在上海的电影院里看了宫崎骏的动画片《となり》非常好看大家都很喜欢这部电影") == "zh"


@given(st.text(max_size=300))
def test_any_text_is_told_the_same_every_time(text: str) -> None:
    found = DETECTOR.detect(text)
    assert 0.0 <= found.confidence <= 1.0
    assert found == DETECTOR.detect(text)
    assert found.code is None or found.code.islower()


@given(st.text(alphabet=st.characters(categories=["P", "S", "N", "Z"]), max_size=100))
def test_without_letters_there_is_no_language(text: str) -> None:
    assert code(text) is None


def test_the_sample_is_told_nearly_always() -> None:
    with (sample_dir() / "posts.jsonl").open(encoding="utf-8") as lines:
        posts = [post for line in lines if (post := json.loads(line)).get("text") and post.get("language")]
    found = [code(post["text"]) for post in posts]
    right = sum(told == post["language"] for told, post in zip(found, posts, strict=True))
    unknown = sum(told is None for told in found)
    assert right / len(posts) > 0.95
    assert len(posts) - right - unknown <= 3, "unknown is better than wrong"
