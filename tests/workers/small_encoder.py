"""A deterministic encoder of few dimensions that counts what it is asked for and can be told to misbehave."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from postscope.indexing.calibration import SpaceCalibration
from postscope.indexing.types import Centres, Space, Vectors

DIM = 16
SPACE = Space("small", "0" * 64, "1", DIM)


class SmallEncoder:
    """Equal content gives equal vectors, other content others.

    Attributes:
        texts: every text that was encoded as a document.
        images: how many images were encoded.
        before_texts: called with each slice of texts before it is encoded; may raise or wait.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.images = 0
        self.before_texts: Callable[[Sequence[str]], None] = lambda texts: None

    @property
    def space(self) -> Space:
        return SPACE

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.before_texts(texts)
        self.texts.extend(texts)
        return vectors([text.encode() for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return vectors([text.encode() for text in texts])

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        self.images += len(images)
        return vectors([image.tobytes() for image in images])


def vectors(contents: Sequence[bytes]) -> Vectors:
    """A unit vector (n, DIM) by the hash of each content."""
    rows = [
        np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:8])).normal(size=DIM)
        for content in contents
    ]
    made = np.array(rows, np.float32).reshape(len(contents), DIM)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def write_calibration(folder: Path) -> None:
    """A calibration that moves nothing, where the models look for that of this space."""
    nothing = np.zeros(DIM, np.float32)
    cohort = vectors([bytes([n]) for n in range(8)])
    folder.mkdir(parents=True, exist_ok=True)
    SpaceCalibration(Centres(nothing, nothing, nothing), cohort, cohort, {}).save(
        folder / f"calibration-{SPACE.id}.npz"
    )
