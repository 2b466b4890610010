"""From what is known of posts to the matrix that a model reads: one way for each choice of fusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from postscope.indexing.heads.features import Floats, PostFeatures
from postscope.indexing.heads.metadata import MetadataEncoder
from postscope.indexing.heads.words import COLUMNS, WordKind, rarity, weighted

Fusion: TypeAlias = Literal["fused", "parts", "words", "letters", "late"]
"""``fused``: the post vector. ``parts``: text and media side by side. ``letters``: these, the words themselves, and
pieces of words. ``words``: without the pieces, of heads of earlier releases. ``late``: a model a part, whose votes are
averaged over the parts that a post has."""
WORDS: Final[Mapping[Fusion, tuple[WordKind, ...]]] = {"words": ("words",), "letters": ("words", "pieces")}
"""Which columns of words a fusion has beside the vectors."""

Matrix: TypeAlias = Any
"""Shape (n, d): a dense array, or a scipy sparse matrix where words are columns."""


@dataclass(frozen=True, slots=True, eq=False)
class InputMaker:
    """Makes the matrix of one fusion, fitted on training posts alone.

    Attributes:
        fusion: which vectors it takes; ``late`` is made of several makers and is none itself.
        part: of ``late``, the one part that this is for.
        metadata: of the other columns.
        idf: inverse document frequencies of words, then of pieces; None where these are no columns.
    """

    fusion: Fusion
    part: Literal["text", "media"] | None
    metadata: MetadataEncoder
    idf: Floats | None

    @classmethod
    def fit(cls, posts: PostFeatures, fusion: Fusion, part: Literal["text", "media"] | None = None) -> InputMaker:
        """Learn columns from training posts."""
        kinds = WORDS.get(fusion, ())
        idf = np.concatenate([rarity(posts.counts(kind)) for kind in kinds]) if kinds else None
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

    def vector_columns(self, posts: PostFeatures) -> int:
        """How many of the first columns are vectors."""
        sides = 1 if self.part is not None or self.fusion == "fused" else 2
        return sides * int(posts.text.shape[1])

    def matrix(self, posts: PostFeatures) -> Matrix:
        """All columns, shape (n, d)."""
        dense = self.dense(posts)
        if self.idf is None:
            return dense
        from scipy.sparse import csr_matrix, hstack

        blocks, start = [csr_matrix(dense.astype(np.float32))], 0
        for kind in WORDS[self.fusion]:
            end = start + COLUMNS[kind]
            blocks.append(weighted(posts.counts(kind), self.idf[start:end]))
            start = end
        return hstack(blocks, format="csr")
