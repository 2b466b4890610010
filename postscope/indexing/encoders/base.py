"""The ``Encoder`` swap point. Its contract suite is ``tests/contracts/test_encoders.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from PIL import Image

from postscope.indexing.types import Space, Vectors


class EncoderError(Exception):
    """Root of what an encoder raises.

    EncoderError
    ├── EncoderUnavailable   the weights or the library are not here; the message names what to install or set
    └── WeightsChanged       a weights file is not the one that was pinned (SHA-256 differs)
    """


class EncoderUnavailable(EncoderError):
    """The weights or the library are missing; the message names the extra to install or the setting to mend."""


class WeightsChanged(EncoderError):
    """A weights file's SHA-256 is not the pinned one."""


@runtime_checkable
class Encoder(Protocol):
    """Content to unit vectors of one shared space.

    Every method returns float32 of shape (n, dim), rows of unit length, in the order given; empty input gives
    shape (0, dim). The same input gives the same vector whatever else is in the batch (within 1e-3 cosine).
    Implementations sort by length and batch inside, are safe to call from several threads, and hold no lock over
    Python's interpreter while the model runs.
    """

    @property
    def space(self) -> Space:
        """The fingerprint of the vectors that this encoder makes."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Documents. Any string is defined: empty, 100,000 characters (cut to the model's window), NUL bytes."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Queries: the other side of an asymmetric model; the same as texts for a symmetric one."""
        ...

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Images in RGB of any size from one pixel up."""
        ...
