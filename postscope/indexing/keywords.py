"""Keyword search: text to a sparse vector of its tokens.

Document weights are those of BM25 (Robertson & Zaragoza, "The Probabilistic Relevance Framework", 2009) with a
fixed average length, so that a post's vector depends on the post alone; the inverse document frequency is applied by
the store when it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final, TypeAlias

from postscope.indexing.normalise import normalise
from postscope.indexing.tokens import MAX_CHARS, Kind, document_tokens, folded, length, pieces, query_tokens
from postscope.indexing.types import SparseVector

K1: Final = 1.2
B: Final = 0.75
AVERAGE_LENGTH: Final = 20.0
"""Words of a usual post."""

_AROUND: Final = ".,:;!?\"'()"
CACHED_CHARS: Final = 40
CACHED_WORDS: Final = 32_768
CACHED_QUERIES: Final = 64
"""A search reads its words once a hit: those of the searches that are answered now."""

_Weighed: TypeAlias = tuple[int, tuple[tuple[int, float], ...]]
"""Length in words, and (term id, weight) of every token."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a query.

    Attributes:
        id: the term's id in sparse vectors.
        token: what is compared, such as ``cafe``.
        word: what the person wrote, such as ``Café``. A word may have two terms, with and without accents.
        kind: what the word is; a hashtag, handle, code or host is found only as a whole.
    """

    id: int
    token: str
    word: str
    kind: Kind


class KeywordEncoder:
    """Text to sparse vectors. Keeps the words seen last; safe to use from several threads."""

    def __init__(self) -> None:
        self._remember = lru_cache(maxsize=CACHED_WORDS)(_weigh)
        self._asked = lru_cache(maxsize=CACHED_QUERIES)(_query_terms)

    def document(self, text: str) -> SparseVector:
        """The saturated term weights of a text; empty for one without words."""
        total = 0
        weights: dict[int, float] = {}
        remember, get = self._remember, weights.get
        for word in normalise(text[:MAX_CHARS]).split(" "):
            words, terms = remember(word) if len(word) <= CACHED_CHARS else _weigh(word)
            total += words
            for term, weight in terms:
                weights[term] = get(term, 0.0) + weight
        norm = K1 * (1 - B + B * total / AVERAGE_LENGTH)
        indices = sorted(weights)
        return SparseVector(tuple(indices), tuple([(K1 + 1) * (w := weights[i]) / (w + norm) for i in indices]))

    def document_of(self, texts: Iterable[str]) -> SparseVector:
        """The terms of several texts of one post: of each, the weight in the text that has the most of it.

        Each text is as long as it is: a long transcript takes nothing from the words of a short post.
        """
        vectors = [vector for text in texts if text and (vector := self.document(text))]
        if len(vectors) == 1:
            return vectors[0]
        best: dict[int, float] = {}
        for vector in vectors:
            for index, value in zip(vector.indices, vector.values, strict=True):
                best[index] = max(best.get(index, 0.0), value)
        indices = sorted(best)
        return SparseVector(tuple(indices), tuple(best[index] for index in indices))

    def finder(self, wanted: Set[int]) -> TermFinder:
        """Tells of many documents which of the terms ``wanted`` they have."""
        return TermFinder(self._terms, wanted)

    def _terms(self, word: str) -> tuple[tuple[int, float], ...]:
        return (self._remember(word) if len(word) <= CACHED_CHARS else _weigh(word))[1]

    def query(self, text: str) -> SparseVector:
        """Weight 1 for every distinct term."""
        indices = sorted(term.id for term in self.query_terms(text))
        return SparseVector(tuple(indices), (1.0,) * len(indices))

    def query_terms(self, text: str) -> list[Term]:
        """The distinct terms of a query, in the order they were written."""
        return list(self._asked(text[:MAX_CHARS]))

    def matched(self, query: str, *texts: str) -> list[Term]:
        """The terms of the query that one of the texts has."""
        there = set(self.document_of(texts).indices)
        return [term for term in self.query_terms(query) if term.id in there]


class TermFinder:
    """See ``KeywordEncoder.finder``. Documents that answer one query share most of their words: each word is looked at
    once, so that a document costs little more than being split. For one thread."""

    def __init__(self, terms: Callable[[str], Iterable[tuple[int, float]]], wanted: Set[int]) -> None:
        self._terms = terms
        self._wanted = wanted
        self._idle: set[str] = set()
        self._telling: dict[str, tuple[int, ...]] = {}

    def among(self, texts: Iterable[str]) -> set[int]:
        """Which of the terms any of the texts has: as ``KeywordEncoder.document_of`` would say."""
        found: set[int] = set()
        for text in texts:
            words = set(normalise(text[:MAX_CHARS]).split(" "))
            for word in words - self._idle:
                found.update(self._look(word))
        return found

    def _look(self, word: str) -> tuple[int, ...]:
        known = self._telling.get(word)
        if known is not None:
            return known
        found = tuple(term for term, _ in self._terms(word) if term in self._wanted)
        if found:
            self._telling[word] = found
        else:
            self._idle.add(word)
        return found


def hashtags(text: str) -> list[str]:
    """The distinct hashtags of a text in order, without ``#`` and without case."""
    if "#" not in text and "\N{FULLWIDTH NUMBER SIGN}" not in text and "\N{SMALL NUMBER SIGN}" not in text:
        return []
    tags = [piece.text[1:] for piece in pieces(normalise(text)) if piece.kind is Kind.HASHTAG and piece.text[0] == "#"]
    return list(dict.fromkeys(map(folded, tags)))


def tag_key(tag: str) -> str:
    """A tag that somebody gave, without case and without the ``#`` in front; a ``#`` alone stays."""
    return tag.casefold().removeprefix("#") or tag


def term_id(token: str) -> int:
    """A token's id, the same for ever: the first 32 bits of its BLAKE2b hash."""
    return int.from_bytes(blake2b(token.encode("utf-8", "surrogatepass")).digest()[:4], "big")


def _query_terms(text: str) -> tuple[Term, ...]:
    found: dict[int, Term] = {}
    for piece in pieces(normalise(text)):
        for token in query_tokens(piece):
            index = term_id(token)
            found.setdefault(index, Term(index, token, piece.text, piece.kind))
    return tuple(found.values())


def _weigh(word: str) -> _Weighed:
    bare = word.strip(_AROUND)
    if bare.isascii() and bare.isalpha():  # most words, and the same as what follows, in a tenth of the time
        return 1, ((term_id(bare.lower()), 1.0),)
    found = list(pieces(word))
    terms = [(term_id(token), weight) for piece in found for token, weight in document_tokens(piece)]
    return sum(map(length, found)), tuple(terms)
