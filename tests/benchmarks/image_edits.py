"""Edits that people make to pictures before they post them again; each is a function of a picture and a generator."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")


def resized(image: Image.Image, share: float) -> Image.Image:
    size = (max(1, int(image.width * share)), max(1, int(image.height * share)))
    return image.resize(size, Image.Resampling.BILINEAR)


def cropped(image: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """Without ``share`` of its area, anywhere."""
    width, height = (int(side * (1 - share) ** 0.5) for side in image.size)
    x = int(rng.integers(0, image.width - width + 1))
    y = int(rng.integers(0, image.height - height + 1))
    return image.crop((x, y, x + width, y + height))


def captioned(image: Image.Image) -> Image.Image:
    bar = max(20, image.height // 5)
    out = Image.new("RGB", (image.width, image.height + bar), "white")
    out.paste(image, (0, bar))
    font = ImageFont.load_default(size=bar * 0.45)
    ImageDraw.Draw(out).text((8, 4), "when the weekend is finally here", fill="black", font=font)
    return out


def with_emoji(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Three faces, each a fifth of the short side."""
    out = image.copy()
    draw = ImageDraw.Draw(out)
    r = int(min(image.size) * 0.11)
    for _ in range(3):
        x, y = (int(rng.integers(0, side - 2 * r)) for side in image.size)
        draw.ellipse((x, y, x + 2 * r, y + 2 * r), fill=(255, 210, 40))
        for eye in (0.5, 1.2):
            draw.ellipse((x + r * eye, y + r * 0.5, x + r * (eye + 0.3), y + r * 0.9), fill="black")
        draw.arc((x + r * 0.5, y + r * 0.8, x + r * 1.5, y + r * 1.6), 20, 160, fill="black", width=3)
    return out


def screenshot(image: Image.Image) -> Image.Image:
    """As a post in an app: bars, a name, comments."""
    width = int(image.width * 1.15)
    height = int(max(image.height * 1.8, width * 1.6))
    out = Image.new("RGB", (width, height), (246, 246, 248))
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(size=width * 0.045)
    draw.rectangle((0, 0, width, height * 0.06), fill=(30, 30, 30))
    draw.ellipse((width * 0.04, height * 0.09, width * 0.12, height * 0.09 + width * 0.08), fill=(120, 140, 200))
    draw.text((width * 0.15, height * 0.1), "some account  -  2h", fill="black", font=font)
    top = int(height * 0.2)
    out.paste(image, ((width - image.width) // 2, top))
    for line in range(3):
        place = (width * 0.06, top + image.height + 10 + line * width * 0.06)
        draw.text(place, f"comments and words below {line}", fill=(60, 60, 60), font=font)
    return out


def noisy(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    values = np.asarray(image, np.float32) + rng.normal(0, 25, (image.height, image.width, 3))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def recoloured(image: Image.Image) -> Image.Image:
    values = np.asarray(image, np.float32) * [1.25, 0.95, 0.75] + [10, -5, 15]
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def turned(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, resample=Image.Resampling.BICUBIC, expand=True, fillcolor="black")


def grey(image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


def bordered(image: Image.Image, colour: str) -> Image.Image:
    return ImageOps.expand(image, int(0.08 * max(image.size)), colour)


EDITS: Final[dict[str, Edit]] = {
    "JPEG quality 10": lambda i, _: jpeg(i, 10),
    "quarter of the size": lambda i, _: resized(i, 0.25),
    "crop of 10%": lambda i, r: cropped(i, 0.1, r),
    "crop of 20%": lambda i, r: cropped(i, 0.2, r),
    "crop of 30%": lambda i, r: cropped(i, 0.3, r),
    "crop of 50%": lambda i, r: cropped(i, 0.5, r),
    "mirrored": lambda i, _: ImageOps.mirror(i),
    "turned by 5 degrees": lambda i, _: turned(i, 5),
    "turned by 90 degrees": lambda i, _: i.transpose(Image.Transpose.ROTATE_90),
    "border": lambda i, _: bordered(i, "white"),
    "caption bar": lambda i, _: captioned(i),
    "emoji": with_emoji,
    "screenshot": lambda i, _: screenshot(i),
    "grey": lambda i, _: grey(i),
    "blur": lambda i, _: i.filter(ImageFilter.GaussianBlur(3)),
    "noise": noisy,
    "colour shift": lambda i, _: recoloured(i),
    "stretched": lambda i, _: i.resize((int(i.width * 1.3), i.height)),
    "crop of 20%, JPEG 20": lambda i, r: jpeg(cropped(i, 0.2, r), 20),
    "mirrored, caption bar": lambda i, _: captioned(ImageOps.mirror(i)),
    "crop of 30%, colour shift": lambda i, r: recoloured(cropped(i, 0.3, r)),
    "screenshot at a third": lambda i, _: resized(screenshot(i), 0.35),
    "turned by 5 degrees, noise": lambda i, r: noisy(turned(i, 5), r),
    "crop of 10%, emoji": lambda i, r: with_emoji(cropped(i, 0.1, r), r),
    "grey, border": lambda i, _: bordered(grey(i), "black"),
    "mirrored, crop of 30%": lambda i, r: cropped(ImageOps.mirror(i), 0.3, r),
}
