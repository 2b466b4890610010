"""Make ``postscope/sample/images`` with its labels and its list of licences.

Usage: ``python tools/sample/make_images.py PACKAGES`` where the folder holds what these commands fetch::

    apt-get download gcompris-qt-data
    pip download --no-deps scikit-image scikit-learn scipy==1.9.3
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drawings import DRAWINGS, dog_poster
from layouts import centred
from photos import Photo, open_photos
from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from stories import read_stories

SAMPLE = Path(__file__).parents[2] / "postscope" / "sample"
LONGEST_SIDE = 320
QUALITY = 78


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of the sample, ready to be saved. ``photo`` is None for what is drawn."""

    name: str
    concept: str
    image: Image.Image
    photo: Photo | None = None
    near_copy_of: str | None = None


def make_pictures(packages: Path, used: set[str]) -> Iterator[Picture]:
    """Photographs, their near-copies (crop, mirror, caption) and drawings: all that posts use."""
    for photo, image in open_photos(packages):
        yield Picture(photo.name, photo.concept, image, photo)
        for change, make in (("crop", _crop), ("flip", _flip), ("meme", _caption)):
            name = f"{photo.name}-{change}"
            if name in used:
                yield Picture(name, photo.concept, make(image), photo, photo.name)
        if photo.name == "dog":
            yield Picture("dog-poster", "poster", dog_poster(image), photo)
    for name, (concept, draw) in DRAWINGS.items():
        yield Picture(name, concept, draw())


def _crop(image: Image.Image) -> Image.Image:
    left, top = int(image.width * 0.1), int(image.height * 0.08)
    return image.crop((left, top, left + int(image.width * 0.84), top + int(image.height * 0.84)))


def _flip(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(ImageOps.mirror(image)).enhance(1.12)


def _caption(image: Image.Image) -> Image.Image:
    framed = ImageOps.pad(image, (640, 480), color="black")
    tall = Image.new("RGB", (640, 570), "white")
    tall.paste(framed, (0, 90))
    centred(ImageDraw.Draw(tall), 45, "ME WAITING FOR THE WEEKEND", 40, "black")
    return tall


def _save(picture: Picture, folder: Path) -> None:
    image = picture.image.copy()
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    image.save(folder / f"{picture.name}.webp", quality=QUALITY, method=6)


def _credits(pictures: list[Picture]) -> str:
    lines = [
        "# Where the images come from",
        "",
        "Every photograph is in the public domain, under CC0 1.0, under CC BY 2.0 (which asks for the",
        "credit given here), or without known copyright restrictions. All were made smaller; files ending in",
        "`-crop`, `-flip` and `-meme` were also cropped, mirrored or captioned. Pictures marked *drawn* were",
        "made for this project by `tools/sample/drawings.py` and are under CC0 1.0.",
        "",
        "Licences: [CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/),",
        "[CC BY 2.0](https://creativecommons.org/licenses/by/2.0/).",
        "",
        "| file | author | licence | source | taken from |",
        "| --- | --- | --- | --- | --- |",
    ]
    for picture in pictures:
        photo = picture.photo
        row = (
            ("*drawn*", "CC0-1.0", "", "")
            if photo is None
            else (photo.author, photo.licence, photo.source, f"{photo.package}")
        )
        lines.append(f"| {picture.name}.webp | " + " | ".join(row) + " |")
    # What make_media.py makes is described by hand, and stays.
    _, heading, media = (SAMPLE / "IMAGES.md").read_text(encoding="utf-8").partition("\n## Videos")
    return "\n".join(lines) + "\n" + heading + media


def _storylines_of_images() -> dict[str, str]:
    where: dict[str, str] = {}
    for story in read_stories():
        for name in (name for post in story.posts for name in post.images):
            if where.setdefault(name, story.id) != story.id:
                raise SystemExit(f"{name}: shown in {where[name]} and in {story.id}, so it has no one label")
    return where


def main(packages: Path) -> None:
    """Write the images, ``image_labels.jsonl`` and ``IMAGES.md``."""
    where = _storylines_of_images()
    pictures = sorted(make_pictures(packages, set(where)), key=lambda picture: picture.name)
    unused = {picture.name for picture in pictures} ^ set(where)
    if unused:
        raise SystemExit(f"in posts or in pictures, but not in both: {', '.join(sorted(unused))}")
    folder = SAMPLE / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.webp"):
        old.unlink()
    with (SAMPLE / "image_labels.jsonl").open("w", encoding="utf-8") as labels:
        for picture in pictures:
            _save(picture, folder)
            copied = f"images/{picture.near_copy_of}.webp" if picture.near_copy_of else None
            row = {
                "file": f"images/{picture.name}.webp",
                "storyline": where[picture.name],
                "concept": picture.concept,
                "near_copy_of": copied,
            }
            labels.write(json.dumps(row, ensure_ascii=False) + "\n")
    (SAMPLE / "IMAGES.md").write_text(_credits(pictures), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
