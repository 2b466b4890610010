"""Buckets: no gaps, no overlaps, and the clock changes of every kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.indexing.buckets import SIZES, Buckets, BucketSize, comfortable, cut, phase, zone_of


def local(day: str, zone: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=zone_of(zone))


def day(day: str, size: BucketSize, zone: str) -> Buckets:
    since = local(day, zone)
    return cut(
        since, (since.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=since.tzinfo), size, zone_of(zone)
    )


@pytest.mark.parametrize(("when", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_the_day_of_a_clock_change_has_an_hour_less_or_more(when: str, hours: int) -> None:
    hourly = day(when, "1h", "Europe/Berlin")
    assert len(hourly) == hours
    assert not any(hourly.cut)
    assert {b - a for a, b in zip(hourly.edges, hourly.edges[1:], strict=False)} == {timedelta(hours=1)}
    assert len(day(when, "1d", "Europe/Berlin")) == 1
    assert len(day(when, "6h", "Europe/Berlin")) == 4


def test_an_hour_that_comes_twice_stays_two_hours() -> None:
    hourly = day("2026-10-25", "1h", "Europe/Berlin")
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert hourly.of(first) == 2
    assert hourly.of(second) == 3


def test_a_clock_change_of_half_an_hour_leaves_whole_local_hours() -> None:
    hourly = day("2026-04-05", "1h", "Australia/Lord_Howe")  # 02:00 becomes 01:30
    assert hourly.edges[-1] - hourly.edges[0] == timedelta(hours=24, minutes=30)
    assert len(hourly) == 25


def test_a_midnight_that_does_not_exist_starts_its_day_at_the_leap() -> None:
    zone = zone_of("America/Sao_Paulo")  # 2018-11-04 began at 01:00
    days = cut(datetime(2018, 11, 3, 12, tzinfo=UTC), datetime(2018, 11, 5, 12, tzinfo=UTC), "1d", zone)
    assert datetime(2018, 11, 4, 3, tzinfo=UTC) in days.edges


def test_weeks_start_on_monday_and_months_on_the_first() -> None:
    zone = zone_of("Asia/Kolkata")
    weeks = cut(local("2026-03-04", "Asia/Kolkata"), local("2026-03-18", "Asia/Kolkata"), "1w", zone)
    assert [edge.astimezone(zone).strftime("%a %H:%M") for edge in weeks.edges[1:-1]] == ["Mon 00:00", "Mon 00:00"]
    assert weeks.cut == (True, False, True)
    months = cut(local("2025-12-01", "Asia/Kolkata"), local("2026-02-01", "Asia/Kolkata"), "1mo", zone)
    assert len(months) == 2
    assert not any(months.cut)


@given(
    st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1)),
    st.integers(1, 10**9),
    st.sampled_from(SIZES),
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]
    ),
)
def test_buckets_cover_the_window_once_without_gaps(start: datetime, seconds: int, size: BucketSize, name: str) -> None:
    since = start.replace(tzinfo=UTC)
    to = since + timedelta(seconds=seconds)
    found = cut(since, to, max(size, comfortable(since, to), key=SIZES.index), zone_of(name))
    assert (found.edges[0], found.edges[-1]) == (since, to)
    assert all(a < b for a, b in zip(found.edges, found.edges[1:], strict=False))
    assert len(found.edges) == len(found) + 1
    assert [found.of(edge) for edge in found.edges[:-1]] == list(range(len(found)))
    assert found.of(to) is None
    # What is not cut short starts where the clocks of the zone say so.
    for n, edge in enumerate(found.edges[:-1]):
        if not found.cut[n] and size in ("1d", "1w", "1mo"):
            wall = edge.astimezone(zone_of(name))
            assert wall.hour in (0, 1)
    earlier = found.shifted(timedelta(weeks=1), zone_of(name))
    assert len(earlier) == len(found.edges)
    assert list(earlier) == sorted(earlier)


@pytest.mark.parametrize("name", ["../etc/passwd", "Europe", "Mars/Base", "", "a\0b", "x" * 5_000, "/etc/localtime"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone_of(name)


def test_reversed_empty_and_huge_windows_are_refused() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    for to in (now, now - timedelta(hours=1)):
        with pytest.raises(ValueError, match="before"):
            cut(now, to, "1h", zone_of("UTC"))
    with pytest.raises(ValueError, match="larger"):
        cut(now - timedelta(days=365), now, "1m", zone_of("UTC"))


def test_a_comfortable_size_is_the_smallest_that_can_be_looked_at() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    lengths = [timedelta(hours=1), timedelta(days=2), timedelta(days=60), timedelta(days=365 * 200)]
    assert [comfortable(now - length, now) for length in lengths] == ["1m", "1h", "1d", "1mo"]


def test_the_phase_is_the_hour_of_the_week_on_local_clocks() -> None:
    instants = [datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 29, 0, 30, tzinfo=UTC)]
    assert phase(instants, zone_of("UTC")) == [0, 6 * 24]
    assert phase(instants, zone_of("Europe/Berlin")) == [1, 6 * 24 + 1]
