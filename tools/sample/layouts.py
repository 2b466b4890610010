"""Flat pictures that people post: posters, boards, charts and maps, drawn with Pillow's built-in font."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

SIDE = 640
"""Pictures are drawn at twice their final size, so that shrinking them smooths the edges."""

Colour = str


def canvas(background: Colour, height: int = SIDE) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """An empty picture, ``SIDE`` wide, and a pen for it."""
    image = Image.new("RGB", (SIDE, height), background)
    return image, ImageDraw.Draw(image)


def centred(pen: ImageDraw.ImageDraw, y: float, text: str, size: float, fill: Colour) -> None:
    """Write one line in the middle of the picture, shrunk until it fits."""
    font = ImageFont.load_default(size)
    while pen.textlength(text, font=font) > SIDE - 40:
        size *= 0.92
        font = ImageFont.load_default(size)
    pen.text((SIDE / 2, y), text, font=font, fill=fill, anchor="mm")


def write(pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: float, fill: Colour) -> None:
    """Write one line from the left, centred on ``at[1]``."""
    pen.text(at, text, font=ImageFont.load_default(size), fill=fill, anchor="lm")


def poster(lines: Sequence[str], background: Colour, ink: Colour, accent: Colour) -> Image.Image:
    """A bill: the first line large, the others below it, between two bars."""
    image, pen = canvas(background)
    pen.rectangle((0, 0, SIDE, 70), fill=accent)
    pen.rectangle((0, SIDE - 70, SIDE, SIDE), fill=accent)
    centred(pen, 190, lines[0], 96, ink)
    for number, line in enumerate(lines[1:]):
        centred(pen, 310 + 76 * number, line, 46, ink)
    return image


def board(title: str, rows: Sequence[Sequence[str]], ink: Colour = "#ffcc33") -> Image.Image:
    """A dark board with a title and columns: departures, line-ups, tables."""
    image, pen = canvas("#14181d", 480)
    write(pen, (24, 46), title, 44, "white")
    columns = len(rows[0])
    for y, row in enumerate(rows):
        pen.line((24, 86 + y * 62, SIDE - 24, 86 + y * 62), fill="#333a42", width=2)
        for x, cell in enumerate(row):
            write(pen, (24 + x * (SIDE - 48) / columns, 118 + y * 62), cell, 30, ink)
    return image


def line_chart(title: str, values: Sequence[float], colour: Colour) -> Image.Image:
    """Values over time, joined by a line, on a grid."""
    image, pen = canvas("white", 440)
    write(pen, (30, 40), title, 32, "#222222")
    low, high = min(values), max(values)
    step = (SIDE - 110) / (len(values) - 1)
    points = [(60 + i * step, 390 - 290 * (value - low) / (high - low or 1)) for i, value in enumerate(values)]
    for height in range(100, 391, 58):
        pen.line((60, height, SIDE - 40, height), fill="#dddddd", width=2)
    pen.line(points, fill=colour, width=7, joint="curve")
    for x, y in points:
        pen.ellipse((x - 7, y - 7, x + 7, y + 7), fill=colour)
    pen.line((60, 90, 60, 394, SIDE - 40, 394), fill="#222222", width=4)
    return image


def bar_chart(title: str, bars: Sequence[tuple[str, float]], colour: Colour) -> Image.Image:
    """Named bars with their figures."""
    image, pen = canvas("white", 440)
    write(pen, (30, 40), title, 34, "#222222")
    width = (SIDE - 80) / len(bars)
    highest = max(value for _, value in bars)
    for i, (name, value) in enumerate(bars):
        left, top = 40 + i * width, 370 - 260 * value / highest
        pen.rectangle((left + 12, top, left + width - 12, 370), fill=colour)
        write(pen, (left + 20, 400), name, 26, "#222222")
        write(pen, (left + 20, top - 20), f"{value:g}", 28, "#222222")
    return image


def area_map(title: str, patch: Colour, seed: int, route: bool = False) -> Image.Image:
    """A town or coast seen from above with a coloured patch, or a marked route, on it."""
    rng = random.Random(seed)
    image, pen = canvas("#9cc9e8", 520)
    pen.polygon(_blob(rng, 320, 290, 260), fill="#e9e4d4")
    for _ in range(9):
        x, y = rng.uniform(120, 520), rng.uniform(120, 460)
        pen.line((x, y, x + rng.uniform(-220, 220), y + rng.uniform(-160, 160)), fill="white", width=7)
    if route:
        points = _blob(rng, 330, 300, 150)
        pen.line([*points, points[0]], fill=patch, width=11, joint="curve")
    else:
        for reach in (120, 70):
            pen.polygon(_blob(rng, 360, 290, reach), fill=patch)
    pen.rectangle((0, 0, SIDE, 62), fill="#22313f")
    centred(pen, 31, title, 34, "white")
    return image


def _blob(rng: random.Random, x: float, y: float, reach: float) -> list[tuple[float, float]]:
    angles = [i * math.tau / 26 for i in range(26)]
    radii = [reach * rng.uniform(0.78, 1.05) for _ in angles]
    return [(x + r * math.cos(a), y + 0.8 * r * math.sin(a)) for a, r in zip(angles, radii, strict=True)]
