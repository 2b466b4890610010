"""Vectors without what their language alone does to them, so that posts on one subject meet whatever their language.

Multilingual encoders put each language a little apart from the others (Libovický, Rosa and Fraser, "How
Language-Neutral is Multilingual BERT?", 2019, arXiv:1911.03310, who take the means off likewise); where many languages
meet, that distance is larger than the one between subjects, and clusters become languages.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.types import Vectors

Codes = npt.NDArray[np.int32]
"""Shape (n,): the number of each post's language, from 0; -1 where it has no words or their language is unknown."""

PRIOR: Final = 10
"""Posts of a language that count for half of its mean: a language of few posts says more of them than of itself."""
MISTAKEN: Final = 0.01
"""And, where that is more, this share of all posts: up to so many are in another language than is thought."""
ONE_SUBJECT: Final = 0.75
"""Length of a language's mean vector from which its posts speak of one subject, and the mean is that subject's."""
SLICE: Final = 8_192


def offsets(vectors: Vectors, codes: Codes) -> Vectors:
    """How far each language lies from all posts with words (languages, dim), as far as its posts can tell.

    Nothing where there is one language only: what all have in common separates none.
    """
    count = int(codes.max(initial=-1)) + 1
    totals, sizes = np.zeros((count, vectors.shape[1]), np.float64), np.zeros(count)
    for start in range(0, len(vectors), SLICE):
        part, of_part = np.asarray(vectors[start : start + SLICE]), codes[start : start + SLICE]
        for code in np.unique(of_part[of_part >= 0]).tolist():
            mine = part[of_part == code]
            totals[code] += mine.sum(axis=0)
            sizes[code] += len(mine)
    if not sizes.any():
        return totals.astype(np.float32)
    means = totals / np.maximum(sizes, 1)[:, None]
    apart = means - totals.sum(axis=0) / sizes.sum()
    prior = max(PRIOR, MISTAKEN * sizes.sum())
    known = np.where(np.linalg.norm(means, axis=1) < ONE_SUBJECT, sizes / (sizes + prior), 0.0)
    return np.asarray(apart * known[:, None], np.float32)


def without(vectors: Vectors, codes: Codes, apart: Vectors) -> Vectors:
    """Unit vectors (n, dim) less the offset of their language; those without one as they are."""
    spoken = np.flatnonzero(codes >= 0)
    if not len(spoken) or not apart.any():
        return np.ascontiguousarray(vectors)
    changed = vectors[spoken] - apart[codes[spoken]]
    lengths = np.linalg.norm(changed, axis=1, keepdims=True)
    moved = np.array(vectors, np.float32)
    moved[spoken] = np.divide(changed, lengths, out=changed, where=lengths > 1e-6)
    return moved
