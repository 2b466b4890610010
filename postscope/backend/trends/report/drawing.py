"""Pictures of numbers as inline SVG: no script, nothing fetched, every word escaped."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from postscope.backend.topics.map import DrawnMap

MOODS = {"negative": "#b4413c", "neutral": "#b9c0ca", "positive": "#3f8f5b"}
_COLOURS = (
    "#2459c3",
    "#c2571a",
    "#2f8f5b",
    "#a83279",
    "#7a5c00",
    "#0f8a9d",
    "#6a4bc4",
    "#b8323a",
    "#5d7f1f",
    "#8a5a44",
)
FEW_SCORED = 5
"""Scored posts of a bucket below which its shares tell little."""
_TICK = 110
"""Room that the time under a bucket takes."""
_LINE = 15
"""Height of a name on the map."""
_NAMED = 14
"""Topics that the map names."""


def bars(
    counts: Sequence[int],
    edges: Sequence[datetime],
    zone: ZoneInfo,
    *,
    before: Sequence[int] = (),
    width: int = 900,
    height: int = 150,
    label: str,
) -> str:
    """Posts of each bucket as bars; those of the compared period as a line over them."""
    top, foot = 14, 20
    most = max([*counts, *before, 1])
    room, step = height - top - foot, width / max(len(counts), 1)

    def y(value: int) -> float:
        return top + room * (1 - value / most)

    parts = [
        f'<rect x="{n * step + step * 0.08:.1f}" y="{y(value):.1f}" width="{step * 0.84:.1f}" '
        f'height="{height - foot - y(value):.1f}" class="bar"><title>{_when(edges[n], zone)}: {value}</title></rect>'
        for n, value in enumerate(counts)
        if value
    ]
    if before:
        line = " ".join(f"{(n + 0.5) * step:.1f},{y(value):.1f}" for n, value in enumerate(before))
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="#c2571a" stroke-width="1.5" stroke-dasharray="4 3"/>'
        )
    told = f"at most {most} {label}" + ("; dashed: the window before" if before else "")
    parts.append(f'<text x="2" y="{top - 3}" class="tick">{escape(told)}</text>')
    return _svg(width, height, label, [*parts, *_axis(edges, zone, width, height - foot)])


def _axis(edges: Sequence[datetime], zone: ZoneInfo, width: int, base: int) -> list[str]:
    """The line under the buckets, and when some of them begin: as many as there is room for."""
    parts = [f'<line x1="0" x2="{width}" y1="{base}" y2="{base}" stroke="#8f99a8"/>']
    buckets, room = len(edges) - 1, max(width // _TICK, 1)
    every = max(math.ceil(buckets / room), 1)
    for n in range(0, buckets, every):
        x = n * width / buckets
        if x + _TICK <= width + 1 or n == 0:
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{base}" y2="{base + 4}" stroke="#8f99a8"/>')
            parts.append(f'<text x="{x:.1f}" y="{base + 15}" class="tick">{_when(edges[n], zone)}</text>')
    return parts


def moods(
    mixes: Sequence[dict[str, int]],
    edges: Sequence[datetime],
    zone: ZoneInfo,
    *,
    width: int = 900,
    height: int = 90,
    label: str,
) -> str:
    """Shares of the moods in each bucket, among the posts that were scored; a gap where none was, pale where few."""
    step = width / max(len(mixes), 1)
    parts = []
    for n, mix in enumerate(mixes):
        scored, y = sum(mix.get(mood, 0) for mood in MOODS), 0.0
        for mood, colour in MOODS.items():
            share = mix.get(mood, 0) / scored if scored else 0.0
            pale = ' fill-opacity=".35"' if scored < FEW_SCORED else ""
            if share:
                parts.append(
                    f'<rect x="{n * step:.1f}" y="{y:.1f}" width="{step * 0.95:.1f}" height="{share * height:.1f}" '
                    f'fill="{colour}"{pale}><title>{mood}: {share:.0%} of {scored}</title></rect>'
                )
            y += share * height
    return _svg(width, height + 20, label, [*parts, *_axis(edges, zone, width, height)])


def dots(drawn: DrawnMap, *, width: int = 900, height: int = 560) -> str:
    """The map: a dot a post, in the colour of its topic; the largest topics are named."""
    if not drawn.points:
        return ""
    edge = 24
    xs, ys = [point.x for point in drawn.points], [point.y for point in drawn.points]
    # One scale for both directions: distances on the map mean something.
    scale = min((width - 2 * edge) / _extent(xs), (height - 2 * edge) / _extent(ys))
    middle = ((max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2)

    def at(x: float, y: float) -> tuple[float, float]:
        return width / 2 + (x - middle[0]) * scale, height / 2 + (y - middle[1]) * scale  # as on the page of the map

    parts = []
    for point in sorted(drawn.points, key=lambda one: one.topic >= 0):
        x, y = at(point.x, point.y)
        colour = _COLOURS[point.topic % len(_COLOURS)] if point.topic >= 0 else "#c9ced6"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}" fill-opacity=".75"/>')
    taken: list[tuple[float, float, float]] = []
    for topic in sorted(drawn.topics, key=lambda one: (-one.posts, one.id))[:_NAMED]:
        name = _short(topic.name)
        x, y = at(topic.x, topic.y)
        half = _breadth(name) / 2
        x = min(max(x, half), width - half)
        y = _free(x, y, half, taken, height)
        taken.append((x, y, half))
        colour = _COLOURS[drawn.topics.index(topic) % len(_COLOURS)]
        parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="place" text-anchor="middle" fill="{colour}">{escape(name)}</text>'
        )
    return _svg(width, height, "map of the posts", parts)


def _breadth(name: str) -> float:
    """Of a name in the letters of the map: Chinese, Japanese and Korean ones are twice as broad."""
    return sum(13.0 if unicodedata.east_asian_width(letter) in "WF" else 7.2 for letter in name)


def _free(x: float, y: float, half: float, taken: Sequence[tuple[float, float, float]], height: int) -> float:
    """The nearest line, upwards or downwards, on which no name is in the way."""
    beside = [line for at, line, other in taken if abs(at - x) < half + other]
    lines = [y + step * way * _LINE for step in range(height // _LINE) for way in (1, -1)]
    free = [line for line in lines if all(abs(line - other) >= _LINE for other in beside)]
    return next((line for line in free if _LINE <= line <= height - 2), y)


def _short(name: str, most: int = 34) -> str:
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"


def _extent(values: Sequence[float]) -> float:
    return max(max(values) - min(values), 1e-6)


def _when(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def _svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    return (
        f'<div class="wide"><svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
        f"<title>{escape(label)}</title>{''.join(parts)}</svg></div>"
    )
