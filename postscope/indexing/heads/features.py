"""What a head sees of posts: their vectors, their words and their metadata, with parts missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from postscope.indexing.heads.words import Counts, WordKind, counted
from postscope.indexing.types import Vectors

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.int64]
Metadata: TypeAlias = Mapping[str, float | str | bool | None]


@dataclass(frozen=True, slots=True, eq=False)
class PostFeatures:
    """n posts, in one order throughout.

    Attributes:
        texts: their words as they are matched; empty where there are none.
        text: shape (n, dim), centred unit vectors of the texts; zeros where there is no text.
        media: shape (n, dim), centred unit means of the media; zeros where there are no media.
        fused: shape (n, dim), the ``post`` vectors; zeros where a post has nothing that could be embedded.
        metadata: what else is known, by name. A field that a post does not have is absent or None.
        times: shape (n,), when they were posted, in Unix seconds.
        groups: shape (n,); near-copies of each other have the same number, and are never trained on and tested on.
    """

    texts: Sequence[str]
    text: Vectors
    media: Vectors
    fused: Vectors
    metadata: Sequence[Metadata]
    times: Floats
    groups: Indices
    _counted: dict[WordKind, Counts] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.times)

    def take(self, rows: Indices) -> PostFeatures:
        """Those at these places, in this order."""
        return PostFeatures(
            [self.texts[n] for n in rows],
            self.text[rows],
            self.media[rows],
            self.fused[rows],
            [self.metadata[n] for n in rows],
            self.times[rows],
            self.groups[rows],
            {kind: counts[rows] for kind, counts in self._counted.items()},
        )

    def counts(self, kind: WordKind) -> Counts:
        """Of their words or pieces of words; counted once, for what is taken from these as well."""
        if kind not in self._counted:
            self._counted[kind] = counted(self.texts, kind)
        return self._counted[kind]

    @classmethod
    def joined(cls, pieces: Sequence[PostFeatures]) -> PostFeatures:
        """One after the other; of one piece or more."""
        from scipy.sparse import vstack

        known = {kind: vstack([piece.counts(kind) for piece in pieces], "csr") for kind in pieces[0]._counted}
        return cls(
            [text for piece in pieces for text in piece.texts],
            np.vstack([piece.text for piece in pieces]),
            np.vstack([piece.media for piece in pieces]),
            np.vstack([piece.fused for piece in pieces]),
            [row for piece in pieces for row in piece.metadata],
            np.concatenate([piece.times for piece in pieces]),
            np.concatenate([piece.groups for piece in pieces]),
            known,
        )

    @property
    def has_text(self) -> npt.NDArray[np.bool_]:
        """Shape (n,)."""
        return np.asarray(self.text.any(axis=1))

    @property
    def has_media(self) -> npt.NDArray[np.bool_]:
        """Shape (n,)."""
        return np.asarray(self.media.any(axis=1))
