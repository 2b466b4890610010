"""Words of posts and pieces of words as hashed columns: no vocabulary to keep, and what was never seen costs nothing.

Pieces are runs of letters within words (Cavnar and Trenkle 1994). They know a word by its stem, a misspelling, words
run together in a hashtag, and languages that put no spaces between words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

WordKind: TypeAlias = Literal["words", "pieces"]
Counts: TypeAlias = Any
"""Shape (n, columns): a scipy sparse matrix by rows."""

COLUMNS: Final[Mapping[WordKind, int]] = {"words": 2**16, "pieces": 2**17}
_SHAPES: Final[Mapping[WordKind, Mapping[str, object]]] = {
    "words": {"ngram_range": (1, 2)},
    "pieces": {"ngram_range": (2, 4), "analyzer": "char_wb"},
}
MANY: Final = 1_000
"""Posts from which on a word that one of them alone has is left out: it teaches next to nothing, and most words are
such."""


def counted(texts: Sequence[str], kind: WordKind) -> Counts:
    """How often each word and pair of words, or each piece of 2 to 4 letters, is in each text."""
    from sklearn.feature_extraction.text import HashingVectorizer

    made = HashingVectorizer(
        n_features=COLUMNS[kind], alternate_sign=False, norm=None, dtype=np.float32, **_SHAPES[kind]
    )
    return made.transform(list(texts))


def rarity(counts: Counts) -> npt.NDArray[np.float64]:
    """Inverse document frequencies, shape (columns,)."""
    found = np.bincount(counts.indices, minlength=counts.shape[1])
    return np.asarray(np.log((1 + counts.shape[0]) / (1 + found)) + 1, dtype=np.float64)


def weighted(counts: Counts, idf: npt.NDArray[np.float64]) -> Counts:
    """Sublinear TF-IDF, rows of unit length (Manning, Raghavan and Schütze 2008, chapter 6)."""
    from sklearn.preprocessing import normalize

    made = counts.copy()
    made.data = ((1 + np.log(made.data)) * idf[made.indices]).astype(np.float32)
    return normalize(made, copy=False)


def taught_columns(matrix: Counts) -> npt.NDArray[np.int64]:
    """Columns of a sparse matrix that something can be learned of: those that its rows have."""
    found = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return np.flatnonzero(found >= (2 if matrix.shape[0] >= MANY else 1))
