"""Keywords of topics by class-based TF-IDF, each language compared with itself.

The weight of a term t in a topic c is tf(t, c) * log(1 + A / f(t)), A being the words of an average topic and f(t) how
often t occurs in all (Grootendorst, "BERTopic", 2022, arXiv:2203.05794). A term that is hardly more frequent in the
topic than elsewhere in the same language does not tell it from others, whatever its weight: that is how stop words go
which no list has.

A term is counted by the voices that use it: copies of a text are one, and so is whatever an author says again. One that
a single voice uses says nothing of a topic; the same word in several languages (a name, a hashtag) is one term. A topic
whose voices share no term has no keywords.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from postscope.indexing.clustering.base import Labels
from postscope.indexing.topics.job import PostLine
from postscope.indexing.topics.words import PAIR, form, terms, words

KEPT: Final = 10
"""Keywords of a topic."""
LIFT: Final = 1.5
"""How much more frequent a term must be in its topic than in all texts of its language."""
LEAST: Final = 2
"""Voices of the topic that must use a term, whatever their language."""
LEAST_SHARE: Final = 0.01
"""And of those in one language, this share."""
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
    """How many voices of each topic and language use each term. Memory grows with distinct terms, not with texts."""

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


@dataclass(frozen=True, slots=True)
class TextTerms:
    """The distinct terms of a text, its language, a number that it shares with its copies, and one for its author.

    The author is -1 where nobody knows who it is; then it is someone else each time.
    """

    terms: tuple[str, ...]
    language: str | None
    told_by: int
    author: int = -1


def read_terms(posts: Iterable[PostLine]) -> list[TextTerms]:
    """The terms of each post, in order; one that is spelled in several ways is spelled as most of all posts do.

    A term is in memory once, whoever uses it.
    """
    once: dict[str, str] = {}
    used: Counter[str] = Counter()
    read = []
    for post in posts:
        mine = tuple(once.setdefault(term, term) for term in sorted(set(terms(words(post.text)))))
        used.update(mine)
        read.append(TextTerms(mine, post.language, post.group if post.group >= 0 else hash(post.text), post.author))
    spelled: dict[str, list[str]] = defaultdict(list)
    for term in used:
        spelled[form(term)].append(term)
    usual: dict[str, str] = {}
    for ways in spelled.values():
        if len(ways) > 1:
            usual |= dict.fromkeys(ways, min(ways, key=lambda way: (-used[way], way)))
    return [replace(text, terms=tuple(dict.fromkeys(usual.get(term, term) for term in text.terms))) for text in read]


def count_voices(topics: Labels, cells: Labels, read: Sequence[TextTerms]) -> WordCounts:
    """Count the texts (n,) of ``topics`` (n,) under ``cells`` (n,), which are parts of topics.

    A text counts once a topic, whatever copies it has, and for what its author had not said in the topic before.
    """
    counts = WordCounts()
    told: set[tuple[int, int]] = set()
    said: set[str] = set()
    before: tuple[int, int] | None = None
    authors = np.array([text.author for text in read], np.int64)
    # One author of one topic after the other, so that what was said need not be kept for all of them.
    for place in np.lexsort((authors, topics)).tolist():
        text, topic = read[place], int(topics[place])
        if not text.terms or (topic, text.told_by) in told:
            continue
        told.add((topic, text.told_by))
        if text.author < 0 or (topic, text.author) != before:
            said, before = set(), (topic, text.author)
        counts.add_terms(int(cells[place]), [term for term in text.terms if term not in said], text.language)
        said.update(text.terms)
    return counts


def keywords(counts: WordCounts, count: int) -> list[list[Keyword]]:
    """The keywords of the topics 0 to ``count`` - 1, the most telling first; none for a topic that shares no word."""
    topics_of: dict[str, list[int]] = defaultdict(list)
    languages_of: dict[int, list[str]] = defaultdict(list)
    for topic, language in sorted(counts.terms):
        topics_of[language].append(topic)
        languages_of[topic].append(language)
    totals = {language: _Total.of(counts, language, topics) for language, topics in topics_of.items()}
    return [_chosen(_weighed(counts, topic, languages_of[topic], totals)) for topic in range(count)]


@dataclass(frozen=True, slots=True)
class _Total:
    """Of one language in all topics: how many voices use each term, how many there are, the terms of a topic."""

    terms: Counter[str]
    texts: int
    average: float

    @classmethod
    def of(cls, counts: WordCounts, language: str, topics: Sequence[int]) -> _Total:
        terms_: Counter[str] = Counter()
        for topic in topics:
            terms_.update(counts.terms[topic, language])
        texts = sum(counts.texts[topic, language] for topic in topics)
        return cls(terms_, texts, sum(terms_.values()) / len(topics))


def _weighed(
    counts: WordCounts, topic: int, languages: Sequence[str], totals: Mapping[str, _Total]
) -> list[tuple[float, str, str]]:
    voices = sum((counts.terms[topic, language] for language in languages), Counter())
    # How much of the topic is in each language: a word of a stray text does not name it.
    whole = sum(counts.texts[topic, language] for language in languages)
    weights: dict[str, float] = defaultdict(float)
    most: dict[str, tuple[int, str]] = {}
    for language in languages:
        mine, texts, total = counts.terms[topic, language], counts.texts[topic, language], totals[language]
        needed = min(LIFT, 0.9 * total.texts / texts) if total.texts > texts else 0.0
        for term, n in mine.items():
            if voices[term] < LEAST or n < LEAST_SHARE * texts:
                continue
            if (n / texts) / (total.terms[term] / total.texts) < needed:
                continue
            weights[term] += n / whole * math.log1p(total.average / total.terms[term])
            most[term] = max(most.get(term, (0, "")), (n, language))
    return [(weight, term, most[term][1]) for term, weight in weights.items()]


def _chosen(weighed: Sequence[tuple[float, str, str]]) -> list[Keyword]:
    """The heaviest, without words that are named by a pair already, nor pairs that only repeat words; each but once,
    however it is written."""
    ordered = sorted(weighed, key=lambda item: (-item[0], item[1]))[: KEPT * 4]
    weights = {term: weight for weight, term, _ in ordered}
    hidden: set[str] = set()
    for weight, term, _ in ordered:
        for part in term.split(PAIR) if PAIR in term else ():
            whole = weights.get(part)
            if whole is None:
                continue
            hidden.add(part if weight >= PAIR_SHARE * whole else term)
    forms: dict[str, tuple[float, str, str]] = {}
    for item in ordered:
        if item[1] not in hidden:
            forms.setdefault(form(item[1]), item)
    kept = list(forms.values())[:KEPT]
    most = kept[0][0] if kept else 1.0
    return [Keyword(term, round(weight / most, 4), language or None) for weight, term, language in kept]
