"""How far what a head sees now is from what it learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from postscope.indexing.heads.features import Floats
from postscope.indexing.types import Vectors

BINS = 10
DIRECTIONS = 16
"""Random directions along which embeddings are compared: the sliced view of a distance between distributions
(Rabin et al. 2012). More are steadier, and a drift that matters is seen along many."""
SEED = 20_201
DECIMALS = 3
"""Of scores: whether a probability is one in a million or in a billion is no drift."""
FLOOR = 1e-3
"""Share that an empty bin counts for, so that one post in a bin that was empty is not an infinite distance."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Quantile bins of a training window.

    Attributes:
        directions: edges, shape (DIRECTIONS, BINS - 1), along each direction of embeddings.
        scores: edges, shape (k, BINS - 1), of each column of scores.
        found: share of expected scores in each bin, shape (k, BINS): scores pile up, so bins are not equal.
        posts: how many embeddings, and how many scores, it was made from.
    """

    directions: Floats
    scores: Floats
    found: Floats
    posts: tuple[int, int]

    @classmethod
    def of(cls, vectors: Vectors, scores: Floats) -> Reference:
        """Of embeddings (n, dim) and of scores (m, k) of posts that were not learned from."""
        inner = np.linspace(0, 1, BINS + 1)[1:-1]
        along = vectors @ _directions(vectors.shape[1]).T
        scores = np.round(scores, DECIMALS)
        edges = np.quantile(scores, inner, axis=0).T
        found = np.stack([_shares(scores[:, n], edges[n]) for n in range(scores.shape[1])])
        return cls(np.quantile(along, inner, axis=0).T, edges, found, (len(vectors), len(scores)))

    def to_json(self) -> dict[str, Any]:
        """For keeping."""
        arrays = {name: np.round(getattr(self, name), 6).tolist() for name in ("directions", "scores", "found")}
        return arrays | {"posts": list(self.posts)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Reference:
        """What ``to_json`` gave."""
        directions, scores, found = (np.array(data[name], np.float64) for name in ("directions", "scores", "found"))
        return cls(directions, scores, found, (int(data["posts"][0]), int(data["posts"][1])))

    def embedding_distance(self, vectors: Vectors) -> float:
        """Mean population stability index along the directions; 0.1 is some change, 0.25 much (Siddiqi 2006)."""
        along = vectors @ _directions(vectors.shape[1]).T
        equal = np.full(BINS, 1 / BINS)
        return float(np.mean([_psi(equal, _shares(along[:, n], self.directions[n])) for n in range(DIRECTIONS)]))

    def score_distance(self, scores: Floats) -> float:
        """The largest population stability index of a column of scores (n, k)."""
        scores = np.round(scores, DECIMALS)
        return max(_psi(self.found[n], _shares(scores[:, n], self.scores[n])) for n in range(scores.shape[1]))


def expected_noise(before: int, now: int) -> float:
    """What the index comes to when nothing has changed, with so many posts on either side (a chi-square's mean)."""
    return (BINS - 1) * (1 / max(before, 1) + 1 / max(now, 1))


def _directions(dim: int) -> Floats:
    drawn = np.random.default_rng(SEED).normal(size=(DIRECTIONS, dim))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def _shares(values: Floats, edges: Floats) -> Floats:
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=BINS)
    return counts / max(len(values), 1)


def _psi(expected: Floats, actual: Floats) -> float:
    before, now = np.maximum(expected, FLOOR), np.maximum(actual, FLOOR)
    return float(((now - before) * np.log(now / before)).sum())
