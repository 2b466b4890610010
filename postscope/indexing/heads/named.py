"""What labels are called, as examples of them: with few judgements a name says more than another example does.

A name is encoded like the posts are, so that it lies in the space where its label is meant to be. It counts as several
examples (Rocchio 1971 and prototypes of prompts, Radford et al. 2021, arXiv:2103.00020, as ``zero_shot`` has them),
and the more is judged, the less it weighs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from postscope.indexing.heads.estimators import Task
from postscope.indexing.heads.features import Floats, Indices, PostFeatures
from postscope.indexing.types import Vectors

WEIGHS = 16
"""Examples that a name counts for, if there are as many of a label on average."""
HELPS_BELOW = 200
"""Posts a label, on average, from which on names change nothing."""


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
