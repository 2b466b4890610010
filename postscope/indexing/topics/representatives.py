"""Posts that stand for a topic: chosen to cover it, not to be five copies of its middle."""

from __future__ import annotations

from typing import Final

import numpy as np

from postscope.indexing.topics.words import words
from postscope.indexing.types import Vectors

ALIKE: Final = 0.95
"""Cosine from which two posts say the same to a reader; only one of them is shown."""
LOOKED_AT: Final = 256
"""Members that are looked at: the nearest to the centre, and as many spread over the rest."""


def representatives(vectors: Vectors, centre: Vectors, count: int) -> list[int]:
    """Up to ``count`` rows of a topic's vectors (n, dim), greedily, each adding the most coverage.

    Facility location: the sum over members of the cosine with the nearest chosen one, which greedy choice approximates
    within 1 - 1/e (Nemhauser, Wolsey and Fisher 1978). The first is the one that covers most by itself, which lies
    near the ``centre`` (dim,). Near-copies of a chosen one are never chosen.
    """
    order = np.argsort(-(vectors @ centre), kind="stable")
    if len(order) > LOOKED_AT:
        rest = order[LOOKED_AT // 2 :]
        order = np.concatenate([order[: LOOKED_AT // 2], rest[:: max(1, len(rest) // (LOOKED_AT // 2))]])
    looked = vectors[order]
    cosines = np.maximum(looked @ looked.T, 0.0)
    covered = np.zeros(len(order), np.float32)
    open_ = np.ones(len(order), bool)
    chosen: list[int] = []
    while open_.any() and len(chosen) < count:
        gain = np.where(open_, np.maximum(cosines - covered, 0.0).sum(axis=1), -1.0)
        best = int(gain.argmax())
        chosen.append(int(order[best]))
        covered = np.maximum(covered, cosines[best])
        open_ &= cosines[best] < ALIKE
    return chosen


def without_repeats(texts: list[str], limit: int) -> list[int]:
    """Places of the first ``limit`` texts whose words are not mostly those of an earlier one."""
    kept: list[int] = []
    seen: list[frozenset[str]] = []
    for place, text in enumerate(texts):
        bag = frozenset(filter(None, words(text)))
        if any(len(bag & other) >= 0.8 * max(len(bag | other), 1) for other in seen):
            continue
        kept.append(place)
        seen.append(bag)
        if len(kept) == limit:
            break
    return kept
