"""Splits that are fair to copies and to time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.indexing.heads.splits import folds, hold_out


@pytest.mark.filterwarnings("error")
@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 6)), min_size=2, max_size=60))
def test_near_copies_never_straddle(rows: list[tuple[float, int]]) -> None:
    times, groups = np.array([t for t, _ in rows]), np.array([g for _, g in rows])
    strata = [str(g % 2) for g in groups]
    held = hold_out(times, groups, 0.2)
    assert sorted([*held.train.tolist(), *held.test.tolist()]) == list(range(len(rows)))
    _, found = folds(times, groups, strata, count=3, seed=1)
    for fold in [held, *found]:
        assert not set(groups[fold.train].tolist()) & set(groups[fold.test].tolist())


def test_by_time_the_past_predicts_the_future() -> None:
    times = np.arange(100.0)
    kind, found = folds(times, np.arange(100), ["a", "b"] * 50, count=4, seed=1)
    assert kind == "time"
    assert all(times[fold.train].max() < times[fold.test].min() for fold in found)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rare", [1, 2, 5])
def test_rare_strata_are_dealt_out_together(rare: int) -> None:
    strata = ["common"] * 30 + [f"rare {n}" for n in range(rare)]
    kind, found = folds(np.zeros(len(strata)), np.arange(len(strata)), strata, count=4, seed=1)
    assert (kind, len(found)) == ("groups", 4)
    assert sorted(np.concatenate([fold.test for fold in found]).tolist()) == list(range(len(strata)))
    in_tests = [sum(strata[n] != "common" for n in fold.test) for fold in found]
    assert max(in_tests) <= rare // 4 + 1


def test_posts_of_one_moment_are_dealt_out_by_groups() -> None:
    kind, found = folds(np.zeros(40), np.arange(40), ["a", "b"] * 20, count=4, seed=1)
    assert (kind, len(found)) == ("groups", 4)
