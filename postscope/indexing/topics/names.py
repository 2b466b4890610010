"""The ``TopicNamer`` swap point, and the default, which asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from postscope.indexing.topics.keywords import Keyword
from postscope.indexing.topics.words import form

NAMED_BY: Final = 3
"""Keywords in a name."""
SUMMARY: Final = 240
"""Characters of a summary."""
QUOTED: Final = 48
"""Characters of a post that stands for a topic whose posts share no word."""
WORDLESS: Final = "posts without words"


@dataclass(frozen=True, slots=True)
class TopicName:
    """What a topic is called, and what is said in it."""

    name: str
    summary: str


class TopicNamer(Protocol):
    """Names a topic."""

    def name(self, keywords: Sequence[Keyword], texts: Sequence[str]) -> TopicName:
        """Name one topic.

        Args:
            keywords: the most telling first; may be empty.
            texts: of posts that stand for it, the most telling first; may be empty.
        """
        ...


class KeywordNamer:
    """Names a topic by its first keywords, and sums it up in the words of the posts that stand for it.

    One without keywords, whose posts share no word, is named by how the post begins that stands for it most.
    """

    def name(self, keywords: Sequence[Keyword], texts: Sequence[str]) -> TopicName:
        """See ``TopicNamer``."""
        picked: list[str] = []
        used: set[str] = set()
        for keyword in keywords:
            mine = {form(keyword.word), *map(form, keyword.word.split())}
            if not mine & used:
                picked.append(keyword.word)
                used |= mine
            if len(picked) == NAMED_BY:
                break
        name = ", ".join(picked) or _quoted(texts) or WORDLESS
        seen = bool(keywords) and all(keyword.seen for keyword in keywords)
        return TopicName(f"seen: {name}" if seen else name, summary_of(texts))


def _quoted(texts: Sequence[str]) -> str:
    """The beginning of the first text that has a letter, in quotation marks."""
    text = next((" ".join(text.split()) for text in texts if any(map(str.isalpha, text))), "")
    if len(text) > QUOTED:
        # At the end of a word, where the script has words that end.
        whole = text[:QUOTED].rsplit(" ", 1)[0]
        text = (whole if len(whole) > QUOTED // 2 else text[:QUOTED]) + "…"
    return f"“{text}”" if text else ""


def summary_of(texts: Sequence[str]) -> str:
    """The beginnings of the first texts, within ``SUMMARY`` characters."""
    parts, left = [], SUMMARY
    for text in (" ".join(text.split()) for text in texts):
        if not text or left < 40:
            continue
        share = text if len(text) <= min(left, SUMMARY // 2) else text[: min(left, SUMMARY // 2) - 1].rstrip() + "…"
        parts.append(share)
        left -= len(share) + 3
    return " / ".join(parts)
