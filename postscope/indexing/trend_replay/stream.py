"""A stream of posts: everyday talk with the rhythm of day and week, and bursts that start at known times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postscope.indexing.trend_replay.texts import Parts

Floats = npt.NDArray[np.float64]

WARM_DAYS = 14
"""Talk alone, for a history."""
COPY_FLOODS = 6
AUTHOR_FLOODS = 6
"""Bursts that are none: one text over and over, one author over and over. An alarm on them must be marked."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A burst: when it starts and ends (hours), how many posts, and whether it comes at once or over days."""

    start: float
    hours: float
    posts: int
    sudden: bool
    flood: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """Posts in the order of their times.

    Attributes:
        hours: time of each, from the start, shape (n,).
        texts: of each.
        authors: of each.
        burst: number of the burst of each, -1 for talk, shape (n,).
        bursts: what was planted; floods among them.
    """

    hours: Floats
    texts: Sequence[str]
    authors: Sequence[str]
    burst: npt.NDArray[np.int64]
    bursts: Sequence[Planted]


def draw_stream(
    seed: int, *, days: int = 42, talk_a_day: int = 300, bursts: int = 64, background: Sequence[Sequence[str]] = ()
) -> Stream:
    """A stream of its own for each seed.

    Args:
        seed: of everything.
        days: in all; the first ``WARM_DAYS`` have no bursts.
        talk_a_day: posts of everyday talk, on average.
        bursts: that are planted, of 10 to 500 posts, half of them sudden; floods come in addition.
        background: real texts by theme to be used in place of the project's own talk.
    """
    random, parts = np.random.default_rng(seed), Parts.read()
    rows: list[tuple[float, str, str, int]] = []
    _talk(rows, parts, random, days, talk_a_day, background)
    planted = [_planted(n, bursts, days, random) for n in range(bursts)]
    planted += [_flood("copies", days, random) for _ in range(COPY_FLOODS)]
    planted += [_flood("author", days, random) for _ in range(AUTHOR_FLOODS)]
    first = int(random.integers(0, 1_000))
    for number, burst in enumerate(planted):
        texts = parts.event(first + number, burst.posts, random)
        if burst.flood == "copies":
            texts = [f"{texts[0]} {'!' * int(random.integers(0, 4))}".strip() for _ in texts]
        authors = [f"b{number}" if burst.flood == "author" else f"b{number}-{n}" for n in range(burst.posts)]
        # A sudden one rises at once and fades, a slow one grows to its middle.
        shape = random.beta(1.2, 3, burst.posts) if burst.sudden else random.beta(2, 2, burst.posts)
        at = burst.start + np.sort(shape - shape.min()) * burst.hours
        rows += [(float(hour), text, author, number) for hour, text, author in zip(at, texts, authors, strict=True)]
    rows.sort()
    return Stream(
        np.array([row[0] for row in rows]),
        [row[1] for row in rows],
        [row[2] for row in rows],
        np.array([row[3] for row in rows], np.int64),
        planted,
    )


def _planted(number: int, count: int, days: int, random: np.random.Generator) -> Planted:
    # All sizes from 10 to 500, evenly on a scale of ratios.
    posts = round(10 * 50 ** (number / max(count - 1, 1)))
    sudden = bool(random.random() < 0.5)
    hours = float(random.uniform(1, 8) if sudden else random.uniform(24, 60))
    return Planted(float(random.uniform(WARM_DAYS * 24, days * 24 - hours)), hours, posts, sudden)


def _flood(kind: str, days: int, random: np.random.Generator) -> Planted:
    return Planted(float(random.uniform(WARM_DAYS * 24, days * 24 - 12)), 6.0, int(random.integers(20, 60)), True, kind)


def _talk(
    rows: list[tuple[float, str, str, int]],
    parts: Parts,
    random: np.random.Generator,
    days: int,
    talk_a_day: int,
    background: Sequence[Sequence[str]],
) -> None:
    themes: Sequence[Sequence[str] | str] = background or sorted(parts.talk)
    weights = random.dirichlet(np.full(len(themes), 3.0))
    hours = np.arange(days * 24)
    for theme, weight in zip(themes, weights, strict=True):
        count = int(weight * talk_a_day * days)
        if not isinstance(theme, str):
            count = min(count, len(theme))
        peak, depth, weekend = random.normal(14, 4), random.uniform(0.4, 0.9), random.uniform(0.4, 1.8)
        rate = 1 + depth * np.cos((hours % 24 - peak) / 24 * 2 * math.pi)
        rate = rate * np.where(hours // 24 % 7 >= 5, weekend, 1.0)
        # Interest wanders: the rate of a theme doubles or halves within weeks.
        rate = rate * np.exp(np.cumsum(random.normal(0, 0.02, len(hours))))
        at = np.sort(random.choice(hours, count, p=rate / rate.sum()) + random.random(count))
        texts = (
            parts.everyday(theme, count, random) if isinstance(theme, str) else list(random.permutation(theme)[:count])
        )
        authors = random.integers(0, 5_000, count)
        rows += [(float(h), str(t), f"t{a}", -1) for h, t, a in zip(at, texts, authors, strict=True)]
