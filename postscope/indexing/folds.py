"""Folds of a labelled sample in which copies stay together: what was learned from is never tested on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postscope.indexing.types import Vectors

COPIES_FROM = 0.97
"""Cosine of fused vectors from which two posts count as copies of each other."""
_BLOCK = 1_024


def copy_groups(vectors: Vectors, texts: list[str]) -> npt.NDArray[np.intp]:
    """Shape (n,): posts with one number are copies of each other, through others if need be.

    Args:
        vectors: fused unit vectors (n, dim); a row of zeros is a copy of nothing.
        texts: of the posts; equal ones are copies, empty ones are not.
    """
    named = np.array([text or f"\0{n}" for n, text in enumerate(texts)], dtype=object)
    _, group = np.unique(named, return_inverse=True)
    # The least number spreads from copy to copy, until nothing changes: one round more than the longest chain.
    group = _least(group, group)
    while True:
        reached = group.copy()
        for start in range(0, len(vectors), _BLOCK):
            alike = vectors[start : start + _BLOCK] @ vectors.T >= COPIES_FROM
            nearest = np.where(alike, group, len(vectors)).min(axis=1)
            reached[start : start + _BLOCK] = np.minimum(reached[start : start + _BLOCK], nearest)
        reached = _least(reached, group)
        if np.array_equal(reached, group):
            return group
        group = reached


def _least(values: npt.NDArray[np.intp], group: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Of each member the least value of its group."""
    found = np.full(int(group.max(initial=-1)) + 1, np.iinfo(np.intp).max)
    np.minimum.at(found, group, values)
    spread: npt.NDArray[np.intp] = found[group]
    return spread


def grouped_folds(
    groups: npt.NDArray[np.intp], truth: npt.NDArray[np.int8], *, folds: int, seed: int
) -> npt.NDArray[np.intp]:
    """Shape (n,): the fold of each post; groups stay whole, and rare labels are spread over the folds.

    Groups are dealt out in the order of the rarest label they have (after Sechidis et al. 2011, "On the stratification
    of multi-label data"), those of one label in a seeded order.

    Args:
        groups: shape (n,).
        truth: shape (n, labels); 1 where a post has a label.
        folds: how many.
        seed: of the order.
    """
    counts = (truth == 1).sum(axis=0)
    weight = np.where(counts > 0, counts, len(truth) + 1)
    rarest = np.where((truth == 1).any(axis=1), np.where(truth == 1, weight, len(truth) + 2).argmin(axis=1), -1)
    names, first = np.unique(groups, return_index=True)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(rarest[first][shuffled], kind="stable")]
    fold_of = np.empty(len(names), np.intp)
    fold_of[order] = np.arange(len(names)) % folds
    found: npt.NDArray[np.intp] = fold_of[np.searchsorted(names, groups)]
    return found
