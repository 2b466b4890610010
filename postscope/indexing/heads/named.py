"""What labels are called, as examples of them: with few judgements a name says more than another example does.

A name is encoded like the posts are, so that it lies in the space where its label is meant to be. It counts as several
examples (Rocchio 1971 and prototypes of prompts, Radford et al. 2021, arXiv:2103.00020, as ``zero_shot`` has them),
and the more is judged, the less it weighs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from postscope.indexing.heads.estimators import Task
from postscope.indexing.heads.features import Floats, Indices, PostFeatures
from postscope.indexing.types import Vectors

WEIGHS = 16
"""Examples that a name counts for, if there are as many of a label on average."""
HELPS_BELOW = 200
"""Posts a label, on average, from which on names change nothing."""
NEAREST = 0.05
"""Share of a sample of posts that show where a name is meant to be."""
FEWEST_SEEN = 1_000
"""Posts that such a sample has at least: the mean of fewer of the nearest leads a name astray as often as not."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelNames:
    """The names of k labels, in their order.

    Attributes:
        words: what was encoded.
        text: shape (k, dim), centred unit vectors, made as those of texts.
        media: shape (k, dim), the same as images are compared with.
    """

    words: Sequence[str]
    text: Vectors
    media: Vectors

    @staticmethod
    def of_use(labels: int, posts: int) -> bool:
        """Whether there are so few posts that names can make a difference."""
        return posts < HELPS_BELOW * labels

    def met_by(self, texts: Vectors, bare: npt.NDArray[np.bool_]) -> LabelNames:
        """Bare names, as texts, half way to the posts that are nearest to each, where there are enough posts to tell.

        A name is no post, and does not lie among those that it is meant for; a prompt is written like one. This is
        relevance feedback that nobody gives: Rocchio 1971; Manning, Raghavan and Schütze 2008, section 9.1.6.

        Args:
            texts: shape (n, dim), centred unit vectors of texts of posts that nobody has judged.
            bare: shape (k,), which labels have no prompts of their own.
        """
        if len(texts) < FEWEST_SEEN or not bare.any():
            return self
        count = int(len(texts) * NEAREST)
        nearest = np.argsort(-(self.text[bare] @ texts.T), axis=1, kind="stable")[:, :count]
        met = self.text.copy()
        met[bare] = unit(self.text[bare] + unit(np.stack([texts[rows].mean(axis=0) for rows in nearest])))
        return replace(self, text=met)

    def added_to(self, posts: PostFeatures, targets: Floats, task: Task) -> tuple[PostFeatures, Floats]:
        """The posts and their targets, with the names as examples after them."""
        count = len(self.words)
        repeats = int(np.clip(len(posts) // count, 1, WEIGHS))
        places = np.tile(np.arange(count), repeats)
        nothing = np.zeros_like(self.text)
        sides = [(self.text, nothing, self.text)]
        if posts.has_media.any():
            sides = [*(sides if posts.has_text.any() else ()), (nothing, self.media, self.media)]
        examples = [self._as_posts(*side, places) for side in sides]
        said = np.eye(count)[places] if task == "tags" else places.astype(np.float64)
        return PostFeatures.joined([posts, *examples]), np.concatenate([targets, *[said] * len(examples)])

    def _as_posts(self, text: Vectors, media: Vectors, fused: Vectors, places: Indices) -> PostFeatures:
        n = len(places)
        return PostFeatures(
            [""] * n,  # its letters are those of a label, and no sign of how posts of it are written
            text[places],
            media[places],
            fused[places],
            [{} for _ in range(n)],
            np.zeros(n),
            np.full(n, -1, np.int64),
        )


def unit(rows: Vectors) -> Vectors:
    """Rows of length one; those of zeros stay."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)
