"""Content to its fingerprints; the same for posts, for banks and for content that is only asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from PIL import Image

from postscope.backend.fingerprinting.pictures import Picture
from postscope.indexing.copies import scenes, sounds
from postscope.indexing.fingerprints import PDQ_SIDE, ExactText, FileHash, Fingerprinter, Pdq, Shingles
from postscope.indexing.media.stills import Stills
from postscope.indexing.sound_prints import SoundPrint

LOOK: Final = "look"
RECIPE: Final = 3
"""Raised whenever a fingerprint of the same content changes: all are then made again."""

_FILES: Final[tuple[Fingerprinter[bytes], ...]] = (FileHash("sha256"), FileHash("md5"))
_IMAGES: Final[tuple[Fingerprinter[Image.Image], ...]] = (Pdq(),)
_TEXTS: Final[tuple[Fingerprinter[str], ...]] = (ExactText(), Shingles())


@dataclass(frozen=True, slots=True)
class Made:
    """One fingerprint and what it is of; see ``FingerprintRow``."""

    kind: str
    value: bytes
    quality: int
    media_id: UUID | None = None
    frame: int | None = None
    seconds: float | None = None


def of_text(text: str) -> list[Made]:
    """Fingerprints of a text; none of one without words."""
    return [Made(by.kind, made.value, made.quality) for by in _TEXTS if (made := by.fingerprint(text)) is not None]


def of_file(data: bytes, media_id: UUID | None = None) -> list[Made]:
    """Fingerprints of a file's bytes, whatever they are."""
    return [
        Made(by.kind, made.value, made.quality, media_id) for by in _FILES if (made := by.fingerprint(data)) is not None
    ]


def of_image(
    image: Image.Image, media_id: UUID | None = None, frame: int | None = None, seconds: float | None = None
) -> list[Made]:
    """Fingerprints of how a picture looks."""
    return [
        Made(by.kind, made.value, made.quality, media_id, frame, seconds)
        for by in _IMAGES
        if (made := by.fingerprint(image)) is not None
    ]


def of_picture(picture: Picture, media_id: UUID, **frame: Any) -> list[Made]:
    """All that a picture is looked up by: PDQ, and the codes of what it shows. See ``Made`` for ``frame``."""
    asked = picture.asked
    return [
        Made(Pdq.kind, asked.turned[0], asked.quality, media_id, **frame),
        *(Made(scenes.KIND, code, 100, media_id, **frame) for code in picture.codes.kept),
    ]


def of_look(picture: Picture, media_id: UUID, **frame: Any) -> Made:
    """What edited copies of a picture are told by for sure; 18 kB."""
    return Made(LOOK, picture.asked.look.less().pack(), 100, media_id, **frame)


def of_sound(sound: SoundPrint, media_id: UUID | None = None) -> list[Made]:
    """All that a sound is looked up by and told by."""
    return [
        Made(sounds.TRACK, sound.pack(), 100, media_id),
        *(Made(sounds.KIND, code, 100, media_id, seconds=second) for second, code in sounds.kept_codes(sound)),
    ]


def decode(data: bytes, stills: Stills) -> Image.Image:
    """The picture in a file, as the fingerprints want it.

    Raises:
        MediaError: it cannot be read, with the reason.
        SandboxDown: no process for it can be started here.
    """
    return stills.open(data, target=PDQ_SIDE)
