"""From what is known of posts to the matrix that a model reads: one way for each choice of fusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from postscope.indexing.heads.features import Floats, PostFeatures
from postscope.indexing.heads.metadata import MetadataEncoder

Fusion: TypeAlias = Literal["fused", "parts", "words", "late"]
"""``fused``: the post vector. ``parts``: text and media side by side. ``words``: these, and the words themselves.
``late``: a model a part, whose votes are averaged over the parts that a post has."""
FUSIONS: tuple[Fusion, ...] = ("fused", "parts", "words", "late")

Matrix: TypeAlias = Any
"""Shape (n, d): a dense array, or a scipy sparse matrix where words are columns."""

HASHED_WORDS = 2**16


@dataclass(frozen=True, slots=True, eq=False)
class InputMaker:
    """Makes the matrix of one fusion, fitted on training posts alone.

    Attributes:
        fusion: which vectors it takes; ``late`` is made of several makers and is none itself.
        part: of ``late``, the one part that this is for.
        metadata: of the other columns.
        idf: shape (HASHED_WORDS,), inverse document frequencies; None where words are no columns.
    """

    fusion: Fusion
    part: Literal["text", "media"] | None
    metadata: MetadataEncoder
    idf: Floats | None

    @classmethod
    def fit(cls, posts: PostFeatures, fusion: Fusion, part: Literal["text", "media"] | None = None) -> InputMaker:
        """Learn columns from training posts."""
        idf = _idf(posts) if fusion == "words" else None
        return cls(fusion, part, MetadataEncoder.fit(posts.metadata), idf)

    def dense(self, posts: PostFeatures) -> Floats:
        """Vectors and metadata, shape (n, d)."""
        flags = np.stack([posts.has_text, posts.has_media], axis=1).astype(np.float64)
        if self.part is not None:
            vectors = [posts.text if self.part == "text" else posts.media]
        elif self.fusion == "fused":
            vectors = [posts.fused]
        else:
            vectors = [posts.text, posts.media]
        return np.hstack([*vectors, flags, self.metadata.transform(posts.metadata)]).astype(np.float64)

    def matrix(self, posts: PostFeatures) -> Matrix:
        """All columns, shape (n, d)."""
        dense = self.dense(posts)
        if self.idf is None:
            return dense
        from scipy.sparse import csr_matrix, hstack

        return hstack([csr_matrix(dense), _weighted(_counts(posts), self.idf)], format="csr")


def _counts(posts: PostFeatures) -> Any:
    """Words and pairs of words, hashed into columns: no vocabulary to keep, and unseen words cost nothing."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(n_features=HASHED_WORDS, ngram_range=(1, 2), alternate_sign=False, norm=None)
    return hashing.transform(list(posts.texts))


def _idf(posts: PostFeatures) -> Floats:
    counts = _counts(posts)
    found = np.bincount(counts.indices, minlength=HASHED_WORDS)
    return np.asarray(np.log((1 + counts.shape[0]) / (1 + found)) + 1, dtype=np.float64)


def _weighted(counts: Any, idf: Floats) -> Any:
    """Sublinear TF-IDF, rows of unit length (Manning, Raghavan and Schütze 2008, chapter 6)."""
    from sklearn.preprocessing import normalize

    weighted = counts.astype(np.float64)
    weighted.data = (1 + np.log(weighted.data)) * idf[weighted.indices]
    return normalize(weighted, copy=False)
