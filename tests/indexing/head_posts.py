"""Posts that heads learn from in tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from postscope.indexing.heads.features import Floats, Metadata, PostFeatures

DIM = 8


def posts(
    rng: np.random.Generator,
    centres: Floats,
    *,
    media: Sequence[bool] | None = None,
    metadata: Sequence[Metadata] | None = None,
    spread: float = 0.4,
) -> PostFeatures:
    """Posts around the given centres (n, DIM); those of ``media`` have an image and no text."""
    n = len(centres)
    vectors = centres + rng.normal(scale=spread, size=(n, DIM))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    pictured = np.array(media if media is not None else [False] * n)[:, np.newaxis]
    return PostFeatures(
        [f"post {i}" for i in range(n)],
        np.where(pictured, 0, vectors).astype(np.float32),
        np.where(pictured, vectors, 0).astype(np.float32),
        vectors,
        list(metadata if metadata is not None else [{} for _ in range(n)]),
        np.arange(n, dtype=np.float64),
        np.arange(n),
    )


def classes(rng: np.random.Generator, n: int, k: int = 3) -> tuple[PostFeatures, Floats]:
    targets = np.arange(n) % k
    return posts(rng, np.eye(DIM)[targets]), targets.astype(np.float64)


def silent(*_: object) -> None:
    """Nobody listens."""


def rng() -> np.random.Generator:
    return np.random.default_rng(7)
