"""Counts against their own history: how much was to be expected, how surprising is what came.

The count of a series in a window is compared with what its share of the whole stream would give there. The stream's
own volume carries the rhythm of day and week and whatever moves everything; what the series has of its own rhythm is
an hour-of-week profile, shrunk towards none by how little is known of it. The share is uncertain and moves, so the
prediction is a negative binomial: Poisson counts whose rate is gamma distributed (the conjugate model of Gelman et
al., "Bayesian Data Analysis", 3rd ed. 2013, section 2.6), with a dispersion that is estimated from the series' own
past by the method of moments (Ver Hoef and Boveng 2007, "Quasi-Poisson vs. negative binomial regression"). This is
the setting of outbreak detection in Noufaily et al. 2013 ("An improved algorithm for outbreak detection in multiple
surveillance systems"), with the stream in place of a seasonal regression. Of many series tested at once, the false
discovery rate is held by Benjamini and Hochberg 1995.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

WEEK = 168
"""Hours of a week: the phases of a profile."""
PRIOR_POSTS = 1.0
"""Weight, in posts, of the belief that an unseen series has the share ``PRIOR_SHARE``."""
PRIOR_SHARE = 1e-3
PHASE_PRIOR = 8.0
"""Weight, in expected posts, of the belief that a series has no rhythm but the stream's."""
MAX_PROFILE = 4.0
"""A profile moves the expectation at most so many times up or down."""
LEAST_DISPERSION = 1e-3
SMALLEST = 1e-300


@dataclass(frozen=True, slots=True)
class Prediction:
    """A negative binomial: its mean and its size r; the variance is mean + mean² / r."""

    mean: float
    size: float

    def interval(self, level: float = 0.95) -> tuple[int, int]:
        """The least and the most of the middle ``level`` of cases."""
        tail = (1 - level) / 2
        total = np.cumsum(np.exp(self._log_pmf(self._far(0))))
        return int(np.searchsorted(total, tail)), int(np.searchsorted(total, 1 - tail))

    def at_least(self, observed: int) -> float:
        """Probability of ``observed`` or more; never below ``SMALLEST``."""
        return float(tails(np.array([observed]), np.array([self.mean]), np.array([self.size]))[0])

    def at_most(self, observed: int) -> float:
        """Probability of ``observed`` or fewer."""
        if observed < 0:
            return SMALLEST
        return min(max(float(np.exp(self._log_pmf(observed)).sum()), SMALLEST), 1.0)

    def _far(self, observed: int) -> int:
        spread = math.sqrt(self.mean + self.mean**2 / self.size)
        return int(max(observed, self.mean) + 12 * spread + 60)

    def _log_pmf(self, most: int) -> Floats:
        """Of 0 to ``most``, by the ratio of one to the one before."""
        mean = max(self.mean, 1e-12)
        stay = self.size / (self.size + mean)
        k = np.arange(most, dtype=np.float64)
        steps = np.log((k + self.size) / (k + 1)) + math.log(mean / (self.size + mean))
        return np.concatenate([[0.0], np.cumsum(steps)]) + self.size * math.log(stay)


def tails(observed: npt.NDArray[Any], means: Floats, sizes: Floats) -> Floats:
    """Probabilities of so many or more, each under its own negative binomial, shape (n,); never below ``SMALLEST``.

    The tail is a regularised incomplete beta function (Johnson, Kemp and Kotz, "Univariate Discrete Distributions",
    3rd ed. 2005, section 5.6), which does not lose a tiny one in a difference from 1.
    """
    from scipy.special import betainc

    at_least_one = np.maximum(observed, 1)
    means = np.maximum(means, 1e-12)
    found = np.where(observed <= 0, 1.0, betainc(at_least_one, sizes, means / (sizes + means)))
    return np.asarray(np.clip(found, SMALLEST, 1.0), np.float64)


@dataclass(frozen=True, slots=True)
class History:
    """The past of a series beside that of the whole stream, hour by hour.

    Attributes:
        counts: posts of the series, shape (hours,).
        stream: posts of the stream, shape (hours,).
        phases: hour of the week of each, shape (hours,).
    """

    counts: Floats
    stream: Floats
    phases: npt.NDArray[np.int64]


def predict(history: History, stream: Sequence[float] | Floats, phases: Sequence[int]) -> Prediction:
    """What the series would have in a window if it went on as before.

    Args:
        history: before the window.
        stream: posts of the whole stream in each hour of the window, without the series' own excess where known.
        phases: hour of the week of each.
    """
    posts, volume = float(history.counts.sum()), float(history.stream.sum())
    shape = posts + PRIOR_POSTS
    share = shape / (volume + PRIOR_POSTS / PRIOR_SHARE)
    profile = profile_of(history, share)
    mean = float(share * np.sum(np.asarray(stream, dtype=np.float64) * profile[list(phases)]))
    return Prediction(max(mean, 1e-9), 1.0 / (1.0 / shape + dispersion(history, share, profile, len(phases))))


def profile_of(history: History, share: float) -> Floats:
    """How many times its share the series has in each hour of the week, shape (168,); neighbours lend support."""
    seen = np.bincount(history.phases, history.counts, WEEK)
    due = np.bincount(history.phases, history.stream, WEEK) * share
    hours = np.arange(WEEK) % 24
    # What an hour of the day has on all days is known best, so an hour of the week starts from that.
    daily = (np.bincount(hours, _smooth(seen), 24) + PHASE_PRIOR) / (np.bincount(hours, _smooth(due), 24) + PHASE_PRIOR)
    weekly = (_smooth(seen) + PHASE_PRIOR * daily[hours]) / (_smooth(due) + PHASE_PRIOR)
    return np.clip(weekly, 1 / MAX_PROFILE, MAX_PROFILE)


def dispersion(history: History, share: float, profile: Floats, hours: int) -> float:
    """Variance of the rate around its mean, relative, from blocks of the past as long as the window (at least an
    hour, at most a seventh of the past)."""
    length = max(1, min(hours, len(history.counts) // 7))
    blocks = len(history.counts) // length
    if blocks < 4:
        return LEAST_DISPERSION
    cut = len(history.counts) - blocks * length
    due = (history.stream * share * profile[history.phases])[cut:].reshape(blocks, length).sum(axis=1)
    seen = history.counts[cut:].reshape(blocks, length).sum(axis=1)
    squares = float(np.sum(due**2))
    if squares <= 0:
        return LEAST_DISPERSION
    return max(float(np.sum((seen - due) ** 2 - due)) / squares, LEAST_DISPERSION)


def benjamini_hochberg(probabilities: Sequence[float]) -> list[float]:
    """The share of false ones that has to be accepted to take each, in the order given (q values)."""
    count = len(probabilities)
    order = sorted(range(count), key=lambda i: probabilities[i], reverse=True)
    found, least = [1.0] * count, 1.0
    for rank, i in enumerate(order):
        least = min(least, probabilities[i] * count / (count - rank))
        found[i] = least
    return found


def _smooth(values: npt.NDArray[Any]) -> Floats:
    """Each hour with half of the hours before and after it, around the week."""
    return np.asarray(0.5 * values + 0.25 * np.roll(values, 1) + 0.25 * np.roll(values, -1), np.float64)
