"""Segments of content without training: what a post is mostly about, by words alone (zero-shot)."""

from __future__ import annotations

from typing import Final

from postscope.backend.tagging.definitions import LabelIn, TaxonomyIn

_SEGMENTS: Final = {
    "news and politics": ["a post about politics and elections", "breaking news", "the government has decided"],
    "sport": ["a post about sport", "a football match", "an athlete wins a race"],
    "music": ["a post about music", "a concert", "a new song"],
    "film and television": ["a post about a film", "a television series", "an actor on screen"],
    "games": ["a post about video games", "playing a game online"],
    "food and drink": ["a post about food", "a recipe", "a meal in a restaurant"],
    "travel": ["a post about travel", "a holiday by the sea", "a journey by train"],
    "fashion and beauty": ["a post about fashion", "clothes and shoes", "make-up and hair"],
    "health and fitness": ["a post about health", "exercise in a gym", "a visit to the doctor"],
    "science and technology": [
        "a post about science",
        "a new phone or computer",
        "software and machines",
        "programming and code",
    ],
    "business and money": ["a post about business", "prices and the market", "jobs and work"],
    "home and garden": ["a post about a home", "furniture and decoration", "plants in a garden"],
    "animals": ["a post about animals", "a dog or a cat", "a wild bird"],
    "nature and weather": ["a post about nature", "a landscape with mountains", "rain, storm and snow"],
    "cars and transport": ["a post about cars", "traffic and buses", "an aeroplane or a ship"],
    "family and people": ["a post about family life", "a birthday with friends", "children at school"],
    "humour": ["a joke", "a funny meme"],
    "customer service": ["a complaint about a product", "a question to a company", "my order has not arrived"],
}


CLEAR: Final = 0.4
"""The share of probability from which on a segment is given: seven times what chance gives one of 18. Measured for
silence rather than a wrong word (``tests.benchmarks.bench_segments``)."""


def default_segments() -> TaxonomyIn:
    """An exclusive set of labels that compete among themselves; where none wins clearly, none is given."""
    labels = [LabelIn(name=name, prompts=[name, *prompts], threshold=CLEAR) for name, prompts in _SEGMENTS.items()]
    return TaxonomyIn(exclusive=True, open=False, labels=labels)
