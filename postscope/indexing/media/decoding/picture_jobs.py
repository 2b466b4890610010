"""The jobs of the processes that open still pictures: pixels, and what a header says."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from postscope.indexing.media.image import DECODERS, inspect_image, open_image

Emit = Callable[[dict[str, Any], bytes], None]
Job = Callable[[int, dict[str, Any], Emit], dict[str, Any]]

PIECE: Final = 32 * 1024 * 1024
"""Bytes of pixels in a message, at most."""


def picture(file: int, params: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """A still picture: its size, then RGB, row by row, in pieces."""
    data = _content(file)
    image = open_image(data, max_pixels=params["max_pixels"], target=params["target"], max_bytes=len(data) + 1)
    pixels = image.tobytes()
    for at in range(0, len(pixels), PIECE):
        emit({"width": image.width, "height": image.height}, pixels[at : at + PIECE])
    return {}


def header(file: int, params: dict[str, Any], _emit: Emit) -> dict[str, Any]:
    """What the header says; see ``ImageInfo``."""
    data = _content(file)
    return asdict(inspect_image(data, claimed=params["claimed"], max_bytes=len(data) + 1))


def open_jobs() -> dict[str, Job]:
    """By their names. The decoders of what comes most often are imported now, not at the first picture."""
    for mime in ("image/jpeg", "image/png", "image/webp"):
        importlib.import_module(DECODERS[mime][0])
    return {"picture": picture, "header": header}


def _content(file: int) -> bytes:
    with open(file, "rb", closefd=False) as stream:
        stream.seek(0)
        return stream.read()
