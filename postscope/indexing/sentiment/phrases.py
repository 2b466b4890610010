"""The default scorer: a linear head on the text vectors, learned from the project's own phrases when it is opened.

Each line of ``phrases.jsonl`` says something of one matter in three moods, in one of 17 languages, so that what
differs between the three is the mood and not the matter. The space is shared by languages, so a direction that is
learned in some holds in others. Learned on the phrases alone, it fits any encoder and ships no foreign data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib.resources import files

import numpy as np

from postscope.indexing.sentiment.base import MOODS, Shares, nothing
from postscope.indexing.types import Space, Vector, Vectors

PENALTY = 1.0
"""Weight of the squared length of the head, against the sum of the losses."""
STEPS = 400


class PhraseScorer:
    """Multinomial logistic regression (n, dim) -> (n, 3), without further state."""

    def __init__(self, name: str, weights: Vectors, offset: Vector) -> None:
        self._name = name
        self._weights = weights
        self._offset = offset

    @property
    def id(self) -> str:
        """Of the phrases and the space."""
        return self._name

    def score(self, texts: Sequence[str], vectors: Sequence[Vector | None]) -> Shares:
        """See ``SentimentScorer``."""
        found = nothing(len(texts))
        for n, vector in enumerate(vectors):  # row by row, so that a batch rounds no other than a single text
            if vector is not None and texts[n].strip():
                found[n] = _softmax((self._weights @ vector + self._offset)[np.newaxis].astype(np.float64))[0]
        return found


def open_phrases(space: Space, encode: Callable[[Sequence[str]], Vectors]) -> PhraseScorer:
    """Learn the head for a space.

    Args:
        space: whose vectors will be scored.
        encode: texts to centred text vectors of it, (n, dim).
    """
    raw = (files("postscope.indexing.sentiment") / "phrases.jsonl").read_bytes()
    rows = [json.loads(line) for line in raw.splitlines()]
    vectors = encode([row[mood] for row in rows for mood in MOODS])
    labels = np.tile(np.arange(len(MOODS)), len(rows))
    weights, offset = fit(vectors, labels, len(MOODS))
    return PhraseScorer(f"phrases-{hashlib.sha256(raw).hexdigest()[:8]}:{space.id}", weights, offset)


def fit(vectors: Vectors, labels: np.ndarray, classes: int) -> tuple[Vectors, Vector]:
    """Multinomial logistic regression with a quadratic penalty, by accelerated gradient descent (Nesterov 1983).

    Args:
        vectors: shape (n, dim).
        labels: class of each, shape (n,).
        classes: how many there are.

    Returns:
        Weights (classes, dim) and offsets (classes,).
    """
    rows = np.hstack([vectors, np.ones((len(vectors), 1))]).astype(np.float64)
    wanted = np.eye(classes)[labels]
    penalty = np.full(rows.shape[1], PENALTY)
    penalty[-1] = 0.0  # how common a class is costs nothing
    pace = 1.0 / (0.5 * float(np.linalg.norm(rows, 2)) ** 2 + PENALTY)
    at = ahead = np.zeros((classes, rows.shape[1]))
    momentum = 1.0
    for _ in range(STEPS):
        slope = (_softmax(rows @ ahead.T) - wanted).T @ rows + ahead * penalty
        following = ahead - pace * slope
        next_momentum = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = following + (momentum - 1) / next_momentum * (following - at)
        at, momentum = following, next_momentum
    return at[:, :-1].astype(np.float32), at[:, -1].astype(np.float32)


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
