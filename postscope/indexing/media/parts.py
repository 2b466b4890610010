"""What a medium is taken apart into: its frames, the words spoken in it, and the words written in its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from PIL import Image

MediaKind: TypeAlias = Literal["image", "video", "audio"]
"""An animation is a video, and a video without a picture is audio."""

PartName: TypeAlias = Literal["frames", "speech", "words"]
PartState: TypeAlias = Literal["done", "partial", "empty", "failed"]

Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[Point, Point, Point, Point]
"""The corners of a line of text, clockwise from its upper left, as fractions of the picture's width and height."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a video that was kept.

    Attributes:
        number: from 0, in the order of time.
        seconds: since the beginning.
        image: upright, RGB.
    """

    number: int
    seconds: float
    image: Image.Image


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word; times are seconds since the beginning of the medium."""

    start: float
    end: float
    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of speech, about a sentence; times are seconds since the beginning of the medium.

    Attributes:
        language: ISO 639-1, None where it cannot be told.
        confidence: of the recognition, 0 to 1.
        language_confidence: how sure the language is, 0 to 1.
    """

    start: float
    end: float
    text: str
    words: tuple[Word, ...]
    language: str | None
    confidence: float
    language_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """Text in a picture.

    Attributes:
        text: lines in reading order, separated by line breaks.
        boxes: one a line.
        start: seconds at which it is first seen; None in a still image.
        end: seconds at which it is last seen; None in a still image.
        confidence: of the recognition, 0 to 1.
        language: ISO 639-1, None where it cannot be told.
        language_confidence: how sure that is, 0 to 1.
    """

    text: str
    boxes: tuple[Box, ...]
    start: float | None
    end: float | None
    confidence: float
    language: str | None = None
    language_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class PartReport:
    """What became of one part of a medium.

    Attributes:
        part: ``frames`` of a video, ``speech`` of a sound track, ``words`` in pictures.
        state: ``done``; ``partial``, with the reason why there is no more; ``empty``: it was looked at and there is
            nothing, such as no speech; ``failed``, with the reason.
        code: stable, for machines; None where it is done.
        reason: one sentence, for a person.
    """

    part: PartName
    state: PartState
    code: str | None = None
    reason: str | None = None


class PictureReader(Protocol):
    """Reads text in pictures. Safe to call from several threads."""

    def read(self, images: Sequence[Image.Image]) -> list[list[Written]]:
        """What is written in each picture, in their order; ``start`` and ``end`` are None.

        An empty list where nothing is written, or nothing that is read with confidence.

        Raises:
            MediaError: a picture takes more than its time, or cannot be read at all.
        """
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...
