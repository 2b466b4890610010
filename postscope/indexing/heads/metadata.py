"""Metadata as numbers: missing values filled, scales made equal, words made columns; fitted on training data alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from postscope.indexing.heads.features import Floats, Metadata

MAX_CATEGORIES = 20
REACH = 4.0
"""Deviations from the mean beyond which all numbers are alike: of how it goes on from there nothing was learned, and a
line goes on for ever."""
MIN_COUNT = 5
"""Posts that must have a value before it gets a column: of rarer ones nothing can be learned."""


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A numeric field: two columns, the scaled value (the median where it is missing) and whether it is missing."""

    field: str
    median: float
    mean: float
    scale: float


@dataclass(frozen=True, slots=True)
class WordColumns:
    """A field of words: one column for each value that is frequent enough; others are all zero."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MetadataEncoder:
    """Metadata of n posts to an array of shape (n, ``width``)."""

    numbers: tuple[NumberColumn, ...]
    words: tuple[WordColumns, ...]

    @property
    def width(self) -> int:
        """Columns."""
        return 2 * len(self.numbers) + sum(len(field.values) for field in self.words)

    @classmethod
    def fit(cls, rows: Sequence[Metadata]) -> MetadataEncoder:
        """Learn medians, scales and values from training rows; fields come in the order of their names."""
        fields = sorted({name for row in rows for name in row})
        numbers, words = [], []
        for field in fields:
            found = [row.get(field) for row in rows]
            numeric = [float(v) for v in found if _is_number(v)]
            if len(numeric) >= MIN_COUNT:
                numbers.append(_number_column(field, np.array(numeric)))
            counts = Counter(_word(v) for v in found if isinstance(v, (str, bool)))
            frequent = sorted((v for v, n in counts.items() if n >= MIN_COUNT), key=lambda v: (-counts[v], v))
            if frequent:
                words.append(WordColumns(field, tuple(frequent[:MAX_CATEGORIES])))
        return cls(tuple(numbers), tuple(words))

    def transform(self, rows: Sequence[Metadata]) -> Floats:
        """Shape (n, width). A value of another kind than in training counts as missing."""
        made = np.zeros((len(rows), self.width))
        for n, row in enumerate(rows):
            at = 0
            for column in self.numbers:
                value = row.get(column.field)
                there = _is_number(value)
                number = float(value) if _is_number(value) else column.median
                made[n, at] = np.clip((_squash(number) - column.mean) / column.scale, -REACH, REACH)
                made[n, at + 1] = 0.0 if there else 1.0
                at += 2
            for field in self.words:
                value = row.get(field.field)
                if isinstance(value, (str, bool)) and _word(value) in field.values:
                    made[n, at + field.values.index(_word(value))] = 1.0
                at += len(field.values)
        return made

    def to_json(self) -> dict[str, Any]:
        """For keeping."""
        return {
            "numbers": [[c.field, c.median, c.mean, c.scale] for c in self.numbers],
            "words": [[c.field, list(c.values)] for c in self.words],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> MetadataEncoder:
        """What ``to_json`` gave."""
        return cls(
            tuple(NumberColumn(str(f), float(m), float(a), float(s)) for f, m, a, s in data["numbers"]),
            tuple(WordColumns(str(field), tuple(map(str, values))) for field, values in data["words"]),
        )


def _number_column(field: str, values: Floats) -> NumberColumn:
    squashed = _squash(values)
    return NumberColumn(
        field, float(np.median(values)), float(squashed.mean()), float(squashed.std()) if squashed.std() > 0 else 1.0
    )


def _is_number(value: object) -> TypeGuard[float]:
    """A finite number, and no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _squash(value: Any) -> Any:
    """Counts of followers and views span powers of ten; their logarithm is what compares."""
    return np.sign(value) * np.log1p(np.abs(value))


def _word(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()
