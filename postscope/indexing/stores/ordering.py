"""One order of answers for every engine: score falling, then id rising, ties at the limit included.

The engines order ties as they please and compare ``min_score`` strictly, so both are settled here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np

from postscope.indexing.stores.base import Query, SparseQuery, TermQuery
from postscope.indexing.types import Match

TIES = 10_000
"""How many answers are looked at to settle a tie at the limit. Of more equal ones the engine chooses."""


def f32(score: float) -> float:
    """A score as the float32 it was before JSON or numpy touched it, so that equal scores stay equal."""
    return float(np.float32(score))


def engine_threshold(min_score: float | None) -> float | None:
    """A bound just below ``min_score``, because the engines' own comparison is strict."""
    if min_score is None:
        return None
    return float(np.nextafter(np.float32(min_score), np.float32(-np.inf)))


def needs_more(found: list[Match], limit: int, asked: int) -> bool:
    """Whether answers cut off at ``asked`` may hide a point with the same score as the last one wanted."""
    if len(found) < asked or asked >= TIES:
        return False
    scores = sorted((match.score for match in found), reverse=True)
    return scores[-1] == scores[limit - 1]


Fetch: TypeAlias = Callable[[Sequence[Query], int], list[list[Match]]]
"""Asks an engine for the n best of each query, in any order of ties."""


def best_of_each(
    fetch: Fetch, queries: Sequence[Query], limit: int, min_score: float | None = None
) -> list[list[Match]]:
    """The ``limit`` best answers to each query, in the one order; one ``fetch`` where there are no ties.

    Args:
        fetch: asks the engine.
        queries: one without any terms has no answers, and is not asked.
        limit: how many are wanted of each; 0 or less gives none.
        min_score: the least score, itself included, compared in float32.
    """
    answers: list[list[Match]] = [[] for _ in queries]
    asked = [i for i, query in enumerate(queries) if limit > 0 and not _has_no_terms(query)]
    if asked:
        first = fetch([queries[i] for i in asked], limit + 1)
        for i, found in zip(asked, first, strict=True):
            answers[i] = found if isinstance(queries[i], TermQuery) else _settle(fetch, queries[i], limit, found)
    return [_at_least(min_score, matches) for matches in answers]


def ordered_facets(hits: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """By count falling, then value rising; without the values that no point has any more."""
    return sorted((hit for hit in hits if hit[1] > 0), key=lambda hit: (-hit[1], hit[0]))


def _settle(fetch: Fetch, query: Query, limit: int, found: list[Match]) -> list[Match]:
    asked = limit + 1
    while needs_more(found, limit, asked):
        asked = min(asked * 4, TIES)
        found = fetch([query], asked)[0]
    return sorted(found, key=_rank)[:limit]


def _at_least(min_score: float | None, matches: list[Match]) -> list[Match]:
    if min_score is None:
        return matches
    least = f32(min_score)
    return [match for match in matches if match.score >= least]


def _has_no_terms(query: Query) -> bool:
    return isinstance(query, SparseQuery) and not query.vector


def _rank(match: Match) -> tuple[float, int]:
    return (-match.score, match.id.int)
