"""How much of what was typed a post really says: the relevance of a match by words.

It is the share of the query's weight that the post's words have, where a word weighs its inverse document frequency:
a post with the rare word of a query and without "the" says nearly all of it, the other way round next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from postscope.backend.media_words import Texts
from postscope.indexing.keywords import KeywordEncoder, Term, TermFinder
from postscope.indexing.tokens import Kind
from postscope.indexing.types import Match, SparseVector

MAX_WEIGHED = 32
"""Queries of more words weigh them all the same: in so many the frequencies even out."""

_WHOLE = frozenset({Kind.HASHTAG, Kind.HANDLE, Kind.CODE, Kind.HOST})


@dataclass(frozen=True, slots=True)
class WordQuery:
    """What was typed, as terms.

    Attributes:
        vector: for the store.
        units: ids of the terms that count: one a word, and all of a run of a script without spaces.
        exact: there is nothing but hashtags, handles, codes and hosts.
    """

    vector: SparseVector
    units: tuple[int, ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class WordJudge:
    """Tells the share of a query that a text has. Weights (> 0) of the query's units sum to 1. For one thread."""

    finder: TermFinder
    weights: Mapping[int, float]
    exact: bool

    def share(self, texts: Texts) -> float:
        """In [0, 1]; 1 when nothing is missing."""
        there = self.finder.among(texts)
        missing = sum(weight for unit, weight in self.weights.items() if unit not in there)
        return max(0.0, 1.0 - missing)


def read_words(keywords: KeywordEncoder, words: str) -> WordQuery | None:
    """The terms of what was typed; None where it has no word."""
    terms = keywords.query_terms(words)
    if not terms:
        return None
    # A word with accents is two terms, and a text with the accents has both: the last one, without, tells.
    units = {(term.word if term.kind is Kind.WORD else term.id): term.id for term in terms}
    return WordQuery(
        keywords.query(words), tuple(dict.fromkeys(units.values())), all(term.kind in _WHOLE for term in terms)
    )


def weighed_units(query: WordQuery) -> tuple[int, ...]:
    """The units whose frequency is wanted; none where weights do not matter."""
    return query.units if 1 < len(query.units) <= MAX_WEIGHED else ()


def frequencies_of(
    keywords: KeywordEncoder, typical: Mapping[int, Match], texts: Mapping[UUID, Texts]
) -> dict[int, float]:
    """The inverse document frequency of units. ``typical``: for each, a post that the store thinks most of.

    A store's score for one term is the post's weight of it times the frequency part; dividing by the first leaves
    what is wanted.
    """
    found: dict[int, float] = {}
    for unit, match in typical.items():
        document = keywords.document_of(texts.get(match.id, ()))
        own = dict(zip(document.indices, document.values, strict=True)).get(unit)
        if own:
            found[unit] = max(match.score / own, 1e-6)
    return found


def judge(keywords: KeywordEncoder, query: WordQuery, frequencies: Mapping[int, float]) -> WordJudge:
    """Weigh the units. One that no post has weighs as much as the rarest one that some post has."""
    known = {unit: frequencies[unit] for unit in weighed_units(query) if unit in frequencies}
    rarest = max(known.values(), default=1.0)
    weights = {unit: known.get(unit, rarest) for unit in query.units}
    total = sum(weights.values())
    shares = {unit: weight / total for unit, weight in weights.items()}
    return WordJudge(keywords.finder(shares.keys()), shares, query.exact)


def found_words(keywords: KeywordEncoder, words: str, *texts: str) -> list[str]:
    """What of the query the texts have, as it was typed, each once."""
    found: Sequence[Term] = keywords.matched(words, *texts)
    return list(dict.fromkeys(term.token if term.kind is Kind.RUN else term.word for term in found))
