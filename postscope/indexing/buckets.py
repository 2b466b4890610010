"""Buckets of time, cut by the calendar of a time zone.

A bucket is an interval of instants, so a clock change loses and repeats nothing: the day on which clocks go forward
has 23 hourly buckets, the day on which they go back has 25, and each of these days is one daily bucket.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

BucketSize = Literal["1m", "5m", "15m", "1h", "6h", "1d", "1w", "1mo"]
SIZES: tuple[BucketSize, ...] = get_args(BucketSize)

MOST = 2_000
"""Buckets of one timeline."""

_MINUTES: dict[BucketSize, int] = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "6h": 360}
_SECONDS: dict[BucketSize, float] = {
    **{size: minutes * 60.0 for size, minutes in _MINUTES.items()},
    "1d": 86_400.0,
    "1w": 7 * 86_400.0,
    "1mo": 30.4 * 86_400.0,
}
_COMFORTABLE = 120
"""At most so many are chosen when nobody says how large they should be."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """Consecutive buckets over a window, without gaps.

    Attributes:
        edges: n + 1 instants in UTC, rising; the first and the last are those of the window.
        cut: for each of the n buckets, whether the window cuts it short.
    """

    edges: tuple[datetime, ...]
    cut: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.cut)

    def of(self, instant: datetime) -> int | None:
        """The bucket of an instant, None outside of the window."""
        place = bisect_right(self.edges, instant) - 1
        return place if 0 <= place < len(self.cut) else None

    def shifted(self, by: timedelta, zone: ZoneInfo) -> tuple[datetime, ...]:
        """The edges as they stood earlier on the clocks of the zone: 09:00 stays 09:00 over a clock change.

        Rising as ``edges`` are, but two may meet where a clock change leaves out an hour.
        """
        moved = [_instant(_wall(edge, zone) - by, zone, edge) for edge in self.edges]
        for place in range(1, len(moved)):
            moved[place] = max(moved[place], moved[place - 1])
        return tuple(moved)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # a name such as "../x" or "Europe" is refused in several ways
        raise ValueError(f"there is no time zone {name[:60]!r}; give an IANA name such as Europe/Berlin") from error


def comfortable(since: datetime, to: datetime) -> BucketSize:
    """The smallest size that cuts the window into a number of buckets that a person can look at."""
    seconds = (to - since).total_seconds()
    return next((size for size in SIZES if seconds / _SECONDS[size] <= _COMFORTABLE), "1mo")


def cut(since: datetime, to: datetime, size: BucketSize, zone: ZoneInfo) -> Buckets:
    """Cut ``since <= t < to`` (aware) at the calendar's edges.

    Raises:
        ValueError: the window is empty or reversed, or there would be more than ``MOST`` buckets.
    """
    since, to = since.astimezone(UTC), to.astimezone(UTC)
    if since >= to:
        raise ValueError("from must be before to")
    if (to - since).total_seconds() / _SECONDS[size] > MOST:
        raise ValueError(f"more than {MOST} buckets of {size}: choose larger ones or a shorter window")
    start = _floor(since, size, zone)
    edges, cut_short = [since], []
    edge = _after(start, size, zone)
    while edge < to:
        cut_short.append(edges[-1] != start)
        edges.append(edge)
        start, edge = edge, _after(edge, size, zone)
    cut_short.append(edges[-1] != start or edge != to)
    edges.append(to)
    return Buckets(tuple(edges), tuple(cut_short))


def phase(instants: Sequence[datetime], zone: ZoneInfo) -> list[int]:
    """The hour of the week of each instant, 0 (Monday 00) to 167, on the clocks of the zone."""
    walls = [instant.astimezone(zone) for instant in instants]
    return [wall.weekday() * 24 + wall.hour for wall in walls]


def _floor(instant: datetime, size: BucketSize, zone: ZoneInfo) -> datetime:
    wall = _wall(instant, zone)
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    if size in _MINUTES:
        minutes = wall.hour * 60 + wall.minute
        low = midnight + timedelta(minutes=minutes - minutes % _MINUTES[size])
        if size == "6h":
            return _instant(low, zone, instant)
        # Within the hour the clock runs on evenly, so go back on the line of instants: an hour that comes twice
        # stays two hours.
        return instant - (wall - low)
    if size == "1w":
        midnight -= timedelta(days=midnight.weekday())
    elif size == "1mo":
        midnight = midnight.replace(day=1)
    return _instant(midnight, zone, instant)


def _after(start: datetime, size: BucketSize, zone: ZoneInfo) -> datetime:
    wall = _wall(start, zone)
    if size in _MINUTES and size != "6h":
        following = start + timedelta(minutes=_MINUTES[size])
        aligned = _floor(following, size, zone)  # elsewhere where clocks change by half an hour
        return aligned if aligned > start else following
    if size == "1mo":
        month = wall.month % 12 + 1
        wall = wall.replace(year=wall.year + (month == 1), month=month, day=1, hour=0, minute=0)
    else:
        wall += {"6h": timedelta(hours=6), "1d": timedelta(days=1), "1w": timedelta(weeks=1)}[size]
        if size == "6h":
            wall = wall.replace(hour=wall.hour - wall.hour % 6, minute=0)
        else:
            wall = wall.replace(hour=0, minute=0)
    return _instant(wall, zone, start)


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the clocks show, without a zone."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _instant(wall: datetime, zone: ZoneInfo, fallback: datetime) -> datetime:
    """The first instant at which the clocks show this, or would have: a time that is left out is that of the leap."""
    try:
        return wall.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:  # before year 1 or after 9999
        return fallback
