"""Rendered meme captions over photos, with what they say: made data for the reading of words in pictures."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SHARED_PHOTOS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "photos"
_SYSTEM_FONTS = Path("/usr/share/fonts/truetype/dejavu")
_SYSTEM = ("DejaVuSans-Bold.ttf", "DejaVuSansCondensed-Bold.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSansMono.ttf")

_TOPS = (
    "When the wifi comes back", "Me after one coffee", "Nobody:", "Monday morning again", "Teacher: no phones in class",
    "One does not simply", "My plans for the weekend", "That feeling when", "Mi perro a las 3 de la mañana",
    "Wenn der Zug pünktlich ist", "Quand le café est prêt", "Quando acaba a semana", "Expectation vs reality",
    "POV: you opened the fridge", "They said it was easy", "How I sleep knowing",
)  # fmt: skip
_BOTTOMS = (
    "walk into the kitchen", "and it was 47 pages long", "absolutely nobody", "still waiting for the bus",
    "the cat has other ideas", "no thoughts, just vibes", "there is no cake left", "I should have stayed in bed",
    "y nadie dijo nada", "aber ich verstehe nur Bahnhof", "et ça, c'est très grave", "e ninguém me avisou",
    "99% battery, 1% hope", "error 404: sleep not found", "this is fine", "send help and snacks",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meme:
    """A captioned picture, its lines from top to bottom, and how many degrees the caption was turned."""

    image: Image.Image
    lines: tuple[str, ...]
    angle: float
    font: str


def font_files() -> list[Path | None]:
    """Fonts to draw with: those of the wheels of the dev extra, of the system, and Pillow's own (None)."""
    found: list[Path | None] = [None]
    try:
        import font_caladea
        import font_roboto
    except ImportError:
        pass
    else:
        files = font_roboto.font_files | font_caladea.font_files
        names = ("RobotoBold", "RobotoBlack", "RobotoMediumItalic", "CaladeaBold")
        found += [Path(files[name]) for name in names]
    return found + [path for name in _SYSTEM if (path := _SYSTEM_FONTS / name).exists()]


def photos(folder: Path = SHARED_PHOTOS) -> list[Path]:
    """The shared photos in order of name."""
    return sorted(folder.glob("*.jpg"))


def memes(count: int, backgrounds: Sequence[Path], *, seed: int = 7, max_angle: float = 15.0) -> Iterator[Meme]:
    """``count`` pictures with one or two lines of caption, each turned by up to ``max_angle`` degrees.

    Two in three captions are outlined, as memes are; half are in capitals; letters are a 14th to a 9th of the
    picture's width high, made smaller until the line fits. Pictures are 640 pixels wide.
    """
    rng = random.Random(seed)
    fonts = font_files()
    for n in range(count):
        photo = Image.open(backgrounds[n % len(backgrounds)]).convert("RGB")
        photo = photo.resize((640, round(640 * photo.height / photo.width)), Image.Resampling.LANCZOS)
        lines = [rng.choice(_TOPS), rng.choice(_BOTTOMS)][: 1 + (rng.random() < 0.7)]
        if rng.random() < 0.5:
            lines = [line.upper() for line in lines]
        # Pillow's own font has no accents.
        usable = fonts if all(map(str.isascii, lines)) else [font for font in fonts if font]
        font, angle = usable[n % len(usable)], 0.0 if n % 3 == 0 else rng.uniform(-max_angle, max_angle)
        size = rng.randint(640 // 14, 640 // 9)
        outline = rng.random() < 2 / 3
        yield Meme(caption(photo, lines, font, size, outline, angle), tuple(lines), angle, font.stem if font else "own")


def caption(
    photo: Image.Image, lines: Sequence[str], font: Path | None, size: int, outline: bool, angle: float
) -> Image.Image:
    """The photo with the first line near its top and the second near its bottom, turned as one layer."""
    layer = Image.new("RGBA", photo.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    # Turned about its middle, a line keeps inside when it leaves room for the sine of the angle at both ends.
    room = photo.width * (0.92 if angle == 0 else 0.84)
    for place, line in zip((0.16, 0.84), lines, strict=False):
        drawn = _fitting(font, size, line, room)
        ink, edge = ("white", "black") if outline else ("yellow", None)
        width = max(2, int(drawn.size / 14)) if outline else 0
        draw.text((photo.width / 2, photo.height * place), line, ink, drawn, "mm", stroke_width=width, stroke_fill=edge)
    turned = layer.rotate(angle, Image.Resampling.BICUBIC)
    picture = photo.convert("RGBA")
    picture.alpha_composite(turned)
    return picture.convert("RGB")


def _fitting(font: Path | None, size: int, line: str, room: float) -> ImageFont.FreeTypeFont:
    while True:
        drawn = ImageFont.truetype(str(font), size) if font else ImageFont.load_default(size)
        assert isinstance(drawn, ImageFont.FreeTypeFont)
        if drawn.getlength(line) <= room or size <= 14:
            return drawn
        size -= 2
