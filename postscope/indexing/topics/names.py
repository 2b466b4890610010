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
    """Names a topic by its first keywords, and sums it up in the words of the posts that stand for it."""

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
        name = ", ".join(picked) or "posts without words"
        seen = bool(keywords) and all(keyword.seen for keyword in keywords)
        return TopicName(f"seen: {name}" if seen else name, summary_of(texts))


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
