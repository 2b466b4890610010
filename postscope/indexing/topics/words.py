"""Text to the words that may name a topic, in any script.

Scripts without spaces are cut by BudouX (Google, Apache-2.0), which knows Chinese, Japanese and Thai; everything else
by the project's own pieces. Handles, addresses and codes say who and where, not what, and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import regex

from postscope.indexing.normalise import normalise
from postscope.indexing.tokens import Kind, folded, pieces
from postscope.indexing.topics.stop_words import STOP_WORDS

MAX_CHARS: Final = 2_000
"""Of one text: what it is about is said by then."""
LONGEST: Final = 40
SHORTEST_PLURAL: Final = 4
"""Letters of a word whose last ``s`` is taken for a plural's."""
PAIR: Final = " "
"""Joins the two words of a pair."""

_THAI: Final = regex.compile(r"\p{Thai}")
_KANA: Final = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_HANGUL: Final = regex.compile(r"\p{Hangul}")
# What grows onto Japanese words: particles and polite endings, in hiragana behind a kanji or katakana stem.
_ENDING: Final = regex.compile(r"(?<=[\p{Han}\p{Katakana}ー])\p{Hiragana}+$")
_CJK: Final = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]")
_LETTER: Final = regex.compile(r"\p{L}")


def words(text: str) -> list[str]:
    """The words of a text in order, folded; stop words are there as empty strings, so that pairs do not leap them."""
    found: list[str] = []
    for piece in pieces(normalise(text[:MAX_CHARS])):
        match piece.kind:
            case Kind.WORD:
                found.append(_word(piece.text))
            case Kind.HASHTAG:
                found.append(_word(piece.text.lstrip("#$")))
            case Kind.RUN:
                found.extend(map(_word, _cut(piece.text)))
            case _:
                found.append("")
    return found


def terms(found: Iterable[str]) -> list[str]:
    """The words and the pairs of words that stand side by side."""
    out: list[str] = []
    before = ""
    for word in found:
        if word:
            out.append(word)
            if before and form(before) != form(word):
                # Words without spaces between them are written without one.
                out.append(before + ("" if _CJK.match(before) and _CJK.match(word) else PAIR) + word)
        before = word
    return out


def form(term: str) -> str:
    """What the spellings of a term have in common: a hashtag is written in one word, a plural of Latin letters has an
    ``s``."""
    whole = "".join(term.split())
    plural = len(whole) >= SHORTEST_PLURAL and whole.isascii() and whole.endswith("s") and not whole.endswith("ss")
    return whole[:-1] if plural else whole


def _word(text: str) -> str:
    word = folded(text).strip("'’-_/.")
    word = word.removesuffix("'s").removesuffix("’s")
    short = len(word) < 2 or (len(word) < 3 and word.isascii())
    if short or len(word) > LONGEST or word in STOP_WORDS or not _LETTER.search(word):
        return word if len(word) == 1 and _CJK.match(word) and word not in STOP_WORDS else ""
    return word


def _cut(run: str) -> list[str]:
    if _HANGUL.search(run):
        return [run]
    if _THAI.search(run):
        return _parser("th").parse(run)
    if _KANA.search(run):
        return [_ENDING.sub("", part) for part in _parser("ja").parse(run)]
    return _parser("zh-hans").parse(run)


class _Parser:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def parse(self, text: str) -> list[str]:
        return list(self._inner.parse(text))


@cache
def _parser(language: str) -> _Parser:
    import budoux

    load = {
        "th": budoux.load_default_thai_parser,
        "ja": budoux.load_default_japanese_parser,
        "zh-hans": budoux.load_default_simplified_chinese_parser,
    }
    return _Parser(load[language]())
