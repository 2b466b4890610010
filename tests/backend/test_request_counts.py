"""Requests counted in memory: as the library counts them, and forgotten when they ran out."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from postscope.backend.request_counts import ProcessCounts

ITEM = RateLimitItemPerMinute(3)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 70)), max_size=30))
@hypothesis_settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_library_would_say_the_same(clock: list[float], calls: list[tuple[str, float]]) -> None:
    ours, theirs = (SlidingWindowCounterRateLimiter(storage()) for storage in (ProcessCounts, MemoryStorage))
    for caller, pause in calls:
        assert ours.hit(ITEM, caller) == theirs.hit(ITEM, caller)
        assert ours.get_window_stats(ITEM, caller) == theirs.get_window_stats(ITEM, caller)
        clock[0] += pause


def test_callers_who_stay_away_are_forgotten(clock: list[float]) -> None:
    counts = ProcessCounts()
    limiter = SlidingWindowCounterRateLimiter(counts)
    for number in range(1_000):
        limiter.hit(ITEM, f"address-{number}")
    clock[0] += 200
    limiter.hit(ITEM, "somebody")
    assert len(counts.storage) == len(counts.expirations) == 1


def test_a_request_starts_no_thread() -> None:
    limiter = SlidingWindowCounterRateLimiter(ProcessCounts())
    time.sleep(0.05)
    before = threading.active_count()
    for number in range(20):
        limiter.hit(RateLimitItemPerMinute(100), str(number))
        assert threading.active_count() <= before
