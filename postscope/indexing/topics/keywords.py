"""Keywords of topics by class-based TF-IDF, each language compared with itself.

The weight of a term t in a topic c is tf(t, c) * log(1 + A / f(t)), A being the words of an average topic and f(t) how
often t occurs in all (Grootendorst, "BERTopic", 2022, arXiv:2203.05794). Copies of a text count once. A term that is
hardly more frequent in the topic than elsewhere in the same language does not tell it from others, whatever its weight:
that is how stop words go which no list has.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from postscope.indexing.topics.job import PostLine
from postscope.indexing.topics.words import PAIR, form, terms, words

KEPT: Final = 10
"""Keywords of a topic."""
LIFT: Final = 1.5
"""How much more frequent a term must be in its topic than in all texts of its language."""
LEAST: Final = 2
"""Texts of the topic that a term must be in."""
LEAST_SHARE: Final = 0.01
"""And of its texts in that language, this share."""
PAIR_SHARE: Final = 0.5
"""A word of which this share stands in one pair is named by the pair."""
NO_LANGUAGE: Final = ""


@dataclass(frozen=True, slots=True)
class Keyword:
    """A word or pair of words.

    Attributes:
        weight: relative to the topic's heaviest.
        language: None where not known.
        seen: it names what pictures show; nobody wrote or said it.
    """

    word: str
    weight: float
    language: str | None
    seen: bool = False


@dataclass(slots=True)
class WordCounts:
    """How many texts of each topic and language have each term. Memory grows with distinct terms, not with texts."""

    terms: dict[tuple[int, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    texts: Counter[tuple[int, str]] = field(default_factory=Counter)

    def add(self, topic: int, text: str, language: str | None) -> None:
        """Count a text of a topic; -1 is what belongs to none, which is there to compare with."""
        self.add_terms(topic, set(terms(words(text))), language)

    def add_terms(self, topic: int, found: Collection[str], language: str | None) -> None:
        """Count a text by its distinct terms."""
        if found:
            key = (topic, language or NO_LANGUAGE)
            self.terms[key].update(found)
            self.texts[key] += 1

    def regrouped(self, parent: Mapping[int, int]) -> WordCounts:
        """The same texts in coarser topics."""
        coarse = WordCounts()
        for (topic, language), counter in self.terms.items():
            key = (parent.get(topic, -1), language)
            coarse.terms[key].update(counter)
            coarse.texts[key] += self.texts[topic, language]
        return coarse

    def pruned(self, topics: Iterable[int]) -> None:
        """Drop terms that only one text has, once many texts are counted: none can be a keyword."""
        for topic in topics:
            for key in [key for key in self.terms if key[0] == topic]:
                self.terms[key] = Counter({term: n for term, n in self.terms[key].items() if n > 1})


@dataclass(frozen=True, slots=True)
class TextTerms:
    """The distinct terms of a text, its language, and a number that equal texts share."""

    terms: tuple[str, ...]
    language: str | None
    told_by: int


def read_terms(posts: Iterable[PostLine]) -> list[TextTerms]:
    """The terms of each post, in order. A term is in memory once, whoever uses it."""
    once: dict[str, str] = {}
    return [
        TextTerms(
            tuple(once.setdefault(term, term) for term in sorted(set(terms(words(post.text))))),
            post.language,
            hash(post.text),
        )
        for post in posts
    ]


def keywords(counts: WordCounts, count: int) -> list[list[Keyword]]:
    """The keywords of the topics 0 to ``count`` - 1, the most telling first; none for a topic without words."""
    by_language: dict[str, list[int]] = defaultdict(list)
    for topic, language in counts.terms:
        by_language[language].append(topic)
    found: list[list[tuple[float, str, str]]] = [[] for _ in range(count)]
    for language, topics in sorted(by_language.items()):
        all_terms: Counter[str] = Counter()
        for topic in topics:
            all_terms.update(counts.terms[topic, language])
        all_texts = sum(counts.texts[topic, language] for topic in topics)
        average = sum(all_terms.values()) / max(len(topics), 1)
        for topic in topics:
            if 0 <= topic < count:
                found[topic] += _weighed(counts, topic, language, all_terms, all_texts, average)
    return [_chosen(weighed) for weighed in found]


def _weighed(
    counts: WordCounts, topic: int, language: str, all_terms: Counter[str], all_texts: int, average: float
) -> list[tuple[float, str, str]]:
    mine, texts = counts.terms[topic, language], counts.texts[topic, language]
    # How much of the topic is in this language: a word of a stray text does not name it.
    share = texts / max(sum(n for (t, _), n in counts.texts.items() if t == topic), 1)
    least = max(LEAST, LEAST_SHARE * texts)
    contrast = all_texts > texts
    out = []
    for term, n in mine.items():
        if n < least and texts >= LEAST:
            continue
        lift = (n / texts) / (all_terms[term] / all_texts)
        if contrast and lift < min(LIFT, 0.9 * all_texts / texts):
            continue
        weight = share * (n / texts) * math.log1p(average / all_terms[term])
        out.append((weight, term, language))
    return out


def _chosen(weighed: Sequence[tuple[float, str, str]]) -> list[Keyword]:
    """The heaviest, without words that are named by a pair already, nor pairs that only repeat words; each but once,
    however it is written."""
    ordered = sorted(weighed, key=lambda item: (-item[0], item[1]))[: KEPT * 4]
    weights = {(term, language): weight for weight, term, language in ordered}
    hidden: set[tuple[str, str]] = set()
    for weight, term, language in ordered:
        for part in term.split(PAIR) if PAIR in term else ():
            whole = weights.get((part, language))
            if whole is None:
                continue
            if weight >= PAIR_SHARE * whole:
                hidden.add((part, language))
            else:
                hidden.add((term, language))
    forms: dict[str, tuple[float, str, str]] = {}
    for item in ordered:
        if (item[1], item[2]) not in hidden:
            forms.setdefault(form(item[1]), item)
    kept = list(forms.values())[:KEPT]
    most = kept[0][0] if kept else 1.0
    return [Keyword(term, round(weight / most, 4), language or None) for weight, term, language in kept]
