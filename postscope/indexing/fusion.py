"""The vectors of a post's parts, fused into one; a part that is missing contributes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from postscope.indexing.text_parts import TextWeights
from postscope.indexing.types import Vector, Vectors


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """How much each modality counts in the fused vector."""

    text: float = 1.0
    media: float = 1.0
    texts: TextWeights = field(default_factory=TextWeights)


def as_one(medium: Vectors) -> Vector:
    """One vector for a medium: a still picture's own, or the mean of a video's frames, of unit length."""
    one: Vector = medium[0]
    if len(medium) > 1:
        mean = medium.mean(axis=0)
        one = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    return one


def fuse(text: Vector | None, media: Vectors | None, weights: FusionWeights) -> Vector | None:
    """The ``post`` vector: the weighted mean of the parts that are there, of unit length; None without any part.

    Args:
        media: a row a medium, however many frames it has, so that a video does not outweigh a still picture.
    """
    total: Vector | None = None
    if text is not None and weights.text > 0:
        total = weights.text * text
    if media is not None and weights.media > 0:
        mean = media.mean(axis=0)
        mean = weights.media * mean / max(float(np.linalg.norm(mean)), 1e-12)
        total = mean if total is None else total + mean
    if total is None:
        return None
    length = float(np.linalg.norm(total))
    # Two parts that point in opposite directions leave nothing to fuse.
    return None if length < 1e-6 else (total / length).astype(np.float32)
