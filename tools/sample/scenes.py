"""Little painted scenes: a volcano, a phone, a loaf, a chess board. Drawn with Pillow alone."""

from __future__ import annotations

import math
import random

from layouts import SIDE, Colour, canvas, centred, write
from PIL import Image, ImageDraw, ImageFilter

Box = tuple[float, float, float, float]


def _round(x: float, y: float, r: float, squash: float = 1.0) -> Box:
    return (x - r, y - r * squash, x + r, y + r * squash)


def _sky(top: tuple[int, int, int], bottom: tuple[int, int, int], height: int = 480) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((SIDE, height))
    return Image.composite(Image.new("RGB", ramp.size, bottom), Image.new("RGB", ramp.size, top), ramp)


def volcano(night: bool) -> Image.Image:
    """A cone with lava running down; by day under an ash column, at night under a red glow."""
    rng = random.Random(6)
    image = _sky((20, 8, 24), (150, 40, 20)) if night else _sky((110, 150, 190), (220, 225, 230))
    pen = ImageDraw.Draw(image)
    for _ in range(90):
        height = rng.random()
        x, y = 320 + rng.gauss(0, 25 + 90 * height), 200 - 190 * height
        shade = rng.randint(50, 120)
        tint = (200 + shade // 3, shade, 20) if night else (shade, shade, shade + 5)
        pen.ellipse(_round(x, y, rng.uniform(16, 46)), fill=tint)
    image = image.filter(ImageFilter.GaussianBlur(4))
    pen = ImageDraw.Draw(image)
    pen.polygon([(30, 480), (270, 200), (370, 200), (610, 480)], fill="#1d1512" if night else "#4b3f38")
    pen.polygon([(275, 198), (365, 198), (352, 224), (300, 218)], fill="#ff7a1a")
    for shift in (-70, 5, 95):
        track = [(320 + shift * t / 9 + rng.uniform(-9, 9), 205 + 29 * t) for t in range(10)]
        pen.line(track, fill="#ff5a12", width=13, joint="curve")
        pen.line(track, fill="#ffd24a", width=4, joint="curve")
    return image


def football() -> Image.Image:
    """A black and white ball on grass."""
    image, pen = canvas("#3c8d3a", 560)
    for blade in range(0, SIDE, 9):
        pen.line(
            (blade, 0, blade + (blade * 7) % 23 - 11, 560),
            fill="#357f34" if blade % 2 else "#46993f",
            width=3,
        )
    pen.ellipse(_round(330, 470, 190, 0.16), fill="#245a24")
    pen.ellipse(_round(320, 290, 200), fill="#f4f4f4", outline="#222222", width=4)
    _pentagon(pen, 320, 290, 68, 0)
    for i in range(5):
        angle = i * math.tau / 5 - math.pi / 2
        x, y = 320 + 168 * math.cos(angle), 290 + 168 * math.sin(angle)
        pen.line((320 + 68 * math.cos(angle), 290 + 68 * math.sin(angle), x, y), fill="#222222", width=5)
        _pentagon(pen, x, y, 42, angle + math.pi / 2 + math.pi)
    return image


def _pentagon(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, turn: float) -> None:
    angles = [turn + i * math.tau / 5 - math.pi / 2 for i in range(5)]
    pen.polygon([(x + r * math.cos(a), y + r * math.sin(a)) for a in angles], fill="#1c1c1c")


def phones(colours: tuple[Colour, ...], label: str) -> Image.Image:
    """One or more phones standing side by side; a single one shows its label on the screen."""
    image, pen = canvas("#eef1f4")
    width = 250 if len(colours) == 1 else 118
    gap = (SIDE - width * len(colours)) / (len(colours) + 1)
    for i, colour in enumerate(colours):
        left = gap + i * (width + gap)
        pen.rounded_rectangle((left, 70, left + width, 570), 34, fill=colour, outline="#30343a", width=5)
        if len(colours) == 1:
            pen.rounded_rectangle((left + 14, 96, left + width - 14, 544), 20, fill="#101c2c")
            for row, app in enumerate(("#3aa0ff", "#ffb020", "#35c46a", "#e5484d") * 4):
                x, y = left + 32 + (row % 4) * 50, 300 + (row // 4) * 54
                pen.rounded_rectangle((x, y, x + 38, y + 38), 9, fill=app)
            write(pen, (left + 30, 190), label, 40, "white")
        else:
            pen.ellipse(_round(left + 36, 112, 17), fill="#20242a")
            pen.ellipse(_round(left + 36, 156, 17), fill="#20242a")
    return image


def candle() -> Image.Image:
    """One candle burning in the dark."""
    image, pen = canvas("#0c0a0a")
    for r, tint in ((230, "#1d130a"), (160, "#3a230d"), (100, "#6b3f12")):
        pen.ellipse(_round(320, 230, r), fill=tint)
    image = image.filter(ImageFilter.GaussianBlur(26))
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((262, 300, 378, 600), 16, fill="#efe3c4")
    pen.ellipse(_round(320, 302, 58, 0.25), fill="#fff3d0")
    pen.line((320, 300, 320, 262), fill="#2a1c10", width=7)
    pen.polygon([(320, 150), (350, 226), (340, 268), (300, 268), (290, 226)], fill="#ffb52e")
    pen.ellipse(_round(320, 240, 17, 1.6), fill="#fff6c8")
    return image.filter(ImageFilter.GaussianBlur(1.2))


def loaf() -> Image.Image:
    """A round loaf with a scored crust on a board."""
    rng = random.Random(3)
    image, pen = canvas("#8a6a4a", 520)
    pen.rounded_rectangle((40, 330, 600, 470), 30, fill="#b98d5c")
    pen.ellipse(_round(320, 270, 230, 0.68), fill="#8c4f1f")
    pen.ellipse(_round(320, 255, 212, 0.64), fill="#b8722f")
    for shift in (-110, -40, 30, 100):
        pen.arc((250 + shift, 130, 370 + shift, 390), 200, 340, fill="#f0d9ae", width=13)
    for _ in range(500):
        x, y = rng.gauss(320, 90), rng.gauss(240, 45)
        pen.point((x, y), fill="#f3e6c8")
    return image.filter(ImageFilter.GaussianBlur(1.6))


def tomato_plant() -> Image.Image:
    """Red tomatoes on a green plant in a pot."""
    image, pen = canvas("#cfe3ea")
    pen.polygon([(220, 470), (420, 470), (390, 620), (250, 620)], fill="#b5562f")
    pen.line((320, 470, 316, 80), fill="#3a6b2a", width=12)
    for i in range(8):
        y, side = 110 + i * 46, (-1) ** i
        pen.polygon([(320, y), (320 + side * 90, y - 34), (320 + side * 170, y + 14)], fill="#4c8c37")
        if i % 2:
            pen.ellipse(_round(320 - side * 70, y + 40, 36), fill="#d8321f")
            pen.ellipse(_round(320 - side * 80, y + 28, 9), fill="#ff8a70")
    return image


def meteor() -> Image.Image:
    """A green fireball over a dark ridge and a field of stars."""
    rng = random.Random(20)
    image = _sky((6, 8, 26), (24, 34, 66))
    pen = ImageDraw.Draw(image)
    for _ in range(240):
        pen.ellipse(_round(rng.uniform(0, SIDE), rng.uniform(0, 400), rng.uniform(0.6, 2.2)), fill="white")
    for i in range(60):
        share = i / 60
        tint = (int(120 * share), int(90 + 165 * share), int(110 + 60 * share))
        pen.ellipse(_round(120 + 340 * share, 60 + 190 * share, 1 + 10 * share), fill=tint)
    pen.ellipse(_round(464, 252, 15), fill="#f2fff4")
    image = image.filter(ImageFilter.GaussianBlur(1.5))
    ridge = [(0, 480), *((x, 420 - 40 * math.sin(x / 90)) for x in range(0, SIDE + 1, 40)), (SIDE, 480)]
    ImageDraw.Draw(image).polygon(ridge, fill="#05060c")
    return image


def medal() -> Image.Image:
    """A finisher's medal on a ribbon."""
    image, pen = canvas("#2b4a6f")
    pen.polygon([(210, 0), (300, 0), (350, 300), (300, 320)], fill="#d33a2c")
    pen.polygon([(430, 0), (340, 0), (290, 300), (340, 320)], fill="#f2f2f2")
    pen.ellipse(_round(320, 420, 165), fill="#b98a1d")
    pen.ellipse(_round(320, 420, 145), fill="#e2b43c")
    centred(pen, 390, "42.195", 74, "#6d4d08")
    centred(pen, 460, "VALMERA", 42, "#6d4d08")
    return image


def chess(position: str) -> Image.Image:
    """A board with counters; ``position`` is the first field of a FEN."""
    image, pen = canvas("#6f4e37")
    _squares(pen)
    for rank, row in enumerate(position.split("/")):
        file = 0
        for mark in row:
            file += int(mark) if mark.isdigit() else 0
            if mark.isalpha():
                _counter(pen, file, rank, mark)
                file += 1
    return image


def _squares(pen: ImageDraw.ImageDraw) -> None:
    for rank in range(8):
        for file in range(8):
            x, y = 32 + file * 72, 32 + rank * 72
            pen.rectangle((x, y, x + 72, y + 72), fill="#f0d9b5" if (rank + file) % 2 == 0 else "#b58863")


def _counter(pen: ImageDraw.ImageDraw, file: int, rank: int, mark: str) -> None:
    x, y = 68 + file * 72, 68 + rank * 72
    body, ink = ("#fafafa", "#222222") if mark.isupper() else ("#26221f", "#f0f0f0")
    pen.ellipse(_round(x, y, 27), fill=body, outline="#111111", width=3)
    write(pen, (x - 11, y), mark.upper().replace("P", ""), 32, ink)
