from __future__ import annotations

from datetime import UTC, datetime, timedelta

from postscope.indexing.frequencies import MOST, Frequencies

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def test_what_is_remembered_is_good_for_a_while_in_its_collection() -> None:
    known = Frequencies(seconds=30)
    known.remember("a", {1: 2.5, 2: 0.5}, now=NOW)
    assert known.known("a", [1, 2, 3], now=NOW + timedelta(seconds=29)) == {1: 2.5, 2: 0.5}
    assert known.known("a", [1], now=NOW + timedelta(seconds=30)) == {}
    assert known.known("b", [1], now=NOW) == {}


def test_memory_has_an_end() -> None:
    known = Frequencies()
    known.remember("a", dict.fromkeys(range(MOST), 1.0), now=NOW)
    known.remember("a", {MOST: 2.0}, now=NOW)
    assert known.known("a", [0, MOST], now=NOW) == {MOST: 2.0}
