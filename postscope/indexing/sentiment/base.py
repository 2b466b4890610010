"""The ``SentimentScorer`` swap point. Its contract suite is ``tests/contracts/test_sentiment.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from postscope.indexing.types import Vector

MOODS = ("negative", "neutral", "positive")

Shares = npt.NDArray[np.float32]
"""Shape (n, 3): negative, neutral, positive, which sum to 1; a row of NaN where nothing can be said."""


class SentimentUnavailable(Exception):
    """The scorer cannot be opened; the message says what is missing."""


class SentimentScorer(Protocol):
    """Says how texts sound.

    The same text gives the same shares, alone or in any batch. No texts give shape (0, 3). A blank text, and for a
    scorer that needs vectors one without, gives a row of NaN. Safe to call from several threads.
    """

    @property
    def id(self) -> str:
        """Name and version: scores of two ids are not the same measure."""
        ...

    def score(self, texts: Sequence[str], vectors: Sequence[Vector | None]) -> Shares:
        """Shares of each text.

        Args:
            texts: as people wrote them.
            vectors: the centred ``text`` vector of each, (dim,), None where there is none.
        """
        ...


def nothing(count: int) -> Shares:
    """Rows of NaN, to be filled where something can be said."""
    return np.full((count, len(MOODS)), np.nan, np.float32)
