"""Predictions of counts: true probabilities, rhythm, and series of every size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.indexing.bursts import History, Prediction, benjamini_hochberg, predict


def history(counts: np.ndarray, stream: np.ndarray) -> History:
    return History(counts.astype(float), stream.astype(float), np.arange(len(counts)) % 168)


def test_the_tails_are_those_of_the_distribution() -> None:
    from scipy.stats import nbinom

    for mean, size in ((0.01, 0.5), (3.0, 2.0), (80.0, 30.0), (500.0, 1_000.0)):
        exact = nbinom(size, size / (size + mean))
        for observed in (0, 1, 5, 40, 100, 600):
            found = Prediction(mean, size)
            assert found.at_least(observed) == pytest.approx(max(exact.sf(observed - 1), 1e-300), rel=1e-6, abs=1e-250)
            assert found.at_most(observed) == pytest.approx(exact.cdf(observed), rel=1e-6)
        low, high = found.interval()
        assert (low, high) == (exact.ppf(0.025), exact.ppf(0.975))


@given(st.floats(1e-6, 2_000), st.floats(0.05, 1e5), st.integers(0, 5_000))
def test_probabilities_are_probabilities(mean: float, size: float, observed: int) -> None:
    found = Prediction(mean, size)
    assert 0 < found.at_least(observed) <= 1 + 1e-9
    assert 0 < found.at_most(observed) <= 1
    assert found.at_least(observed + 1) <= found.at_least(observed) + 1e-9
    low, high = found.interval()
    assert 0 <= low <= high


def test_false_alarms_come_as_often_as_the_probability_says() -> None:
    random = np.random.default_rng(3)
    low, trials = 0, 400
    for _ in range(trials):
        hours = np.arange(673)
        stream = random.poisson(60 * (1 + 0.8 * np.sin(hours / 24 * 2 * math.pi)))
        counts = random.binomial(stream, 0.05)
        found = predict(history(counts[:672], stream[:672]), [float(stream[672])], [0])
        low += found.at_least(int(counts[672])) < 0.05
    assert low / trials < 0.09


def test_what_comes_every_morning_is_no_burst_in_the_morning_but_one_at_night() -> None:
    hours = np.arange(672)
    stream = np.full(672, 50)
    counts = np.where(hours % 24 == 8, 20, 0)
    past = history(counts, stream)
    morning, night = predict(past, [50.0], [8]), predict(past, [50.0], [3])
    assert morning.at_least(20) > 1e-3
    assert night.at_least(20) < morning.at_least(20) / 100


def test_the_weekly_rhythm_counts_too() -> None:
    hours = np.arange(672)
    counts = np.where(hours % 168 == 130, 30, 1)
    past = history(counts, np.full(672, 100))
    assert predict(past, [100.0], [130]).mean > 3 * predict(past, [100.0], [20]).mean


def test_a_busier_stream_lets_expect_more() -> None:
    past = history(np.full(672, 2), np.full(672, 40))
    assert predict(past, [80.0], [5]).mean == pytest.approx(2 * predict(past, [40.0], [5]).mean)


@pytest.mark.parametrize("hours", [0, 1, 10])
def test_hardly_any_history_gives_a_wide_guess_and_no_error(hours: int) -> None:
    found = predict(history(np.zeros(hours), np.ones(hours)), [10.0, 10.0], [0, 1])
    assert math.isfinite(found.mean)
    assert found.at_least(3) > 1e-9


def test_the_false_discovery_rate_of_many_tests() -> None:
    assert benjamini_hochberg([]) == []
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
