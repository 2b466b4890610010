"""Words for what is seen in a topic whose posts say nothing: names of things near its centre in the shared space."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np

from postscope.indexing.topics.keywords import Keyword
from postscope.indexing.types import Vector, Vectors

KEPT: Final = 5
"""Names that a topic gets at most."""
NEAR: Final = 0.6
"""A name that is less near than this share of the nearest, both counted from the mean of all names, tells nothing."""


@cache
def class_names() -> tuple[str, ...]:
    """The names of the 1,000 classes of ImageNet (Russakovsky et al. 2015), each once, in the order of the classes."""
    from postscope.indexing.encoders import weights

    named: list[str] = json.loads(weights.IMAGENET_NAMES.locate().read_bytes())
    return tuple(dict.fromkeys(named[:1_000]))


def seen_words(centre: Vector, names: Sequence[str], vectors: Vectors) -> list[Keyword]:
    """The names nearest to a topic's centre (dim,), nearest first, marked as seen.

    Args:
        centre: of the topic; zero has none.
        names: to choose from.
        vectors: of the names as queries (n, dim), centred as the posts are.
    """
    cosines = vectors @ centre
    above = cosines - cosines.mean() if len(cosines) else cosines
    order = np.argsort(-above, kind="stable")[:KEPT]
    if not len(order) or above[order[0]] <= 1e-6:
        return []
    weights = above[order] / above[order[0]]
    return [
        Keyword(names[place], round(float(weight), 4), "en", seen=True)
        for place, weight in zip(order.tolist(), weights, strict=True)
        if weight >= NEAR
    ]
