"""Class probabilities of images, averaged over classifiers; images are cut to size while a model runs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from postscope.indexing.encoders.conse import CLASSES
from postscope.indexing.encoders.onnx_session import Session

Pixels = npt.NDArray[np.uint8]

PREPROCESSING: Final = "square-bicubic-1"
"""Raised whenever the pixels that reach a model change: it is part of the space."""

# Images a call of the model takes. On two cores 1 to 16 cost the same a picture, so few: calls of several
# threads then take turns, and a query's image does not wait for a whole import.
_BATCH: Final = 4
# Pixels left around the centre crop, of size + 32: the published evaluation of EfficientNet.
_CROP_PADDING: Final = 32
# Shrinks a large picture by whole factors first, to three times the target: 15 ms for 12 megapixels, not 38.
_REDUCING_GAP: Final = 3.0


@dataclass(frozen=True, slots=True)
class Model:
    """A session with input ``pixels`` uint8 (n, size, size, 3) and output ``probabilities`` (n, 1000)."""

    session: Session
    size: int


class ImageClassifier:
    """Averages the probabilities of several models; safe to call from several threads.

    Args:
        models: at least one.
        threads: of the pool that cuts images to size.
    """

    def __init__(self, models: Sequence[Model], *, threads: int) -> None:
        self._models = tuple(models)
        self._pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="image-to-square")

    def probabilities(self, images: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """Shape (n, 1000), float32, rows summing to one, in the order given. Other modes become RGB."""
        result = np.empty((len(images), CLASSES), np.float32)
        coming = self._prepare(images[:_BATCH])
        for start in range(0, len(images), _BATCH):
            ready = [future.result() for future in coming]
            coming = self._prepare(images[start + _BATCH : start + 2 * _BATCH])
            result[start : start + _BATCH] = self._run(ready)
        return result

    def _prepare(self, images: Sequence[Image.Image]) -> list[Future[list[Pixels]]]:
        return [self._pool.submit(self._squares, image) for image in images]

    def _squares(self, image: Image.Image) -> list[Pixels]:
        rgb = image if image.mode == "RGB" else image.convert("RGB")
        return [centre_square(rgb, model.size) for model in self._models]

    def _run(self, squares: Sequence[Sequence[Pixels]]) -> npt.NDArray[np.float32]:
        total = np.zeros((len(squares), CLASSES), np.float32)
        for model, pixels in zip(self._models, zip(*squares, strict=True), strict=True):
            total += model.session.run(["probabilities"], {"pixels": np.stack(pixels)})[0]
        total /= len(self._models)
        return total


def centre_square(image: Image.Image, size: int) -> Pixels:
    """The central square of an RGB image, less a margin, as uint8 (size, size, 3)."""
    side = min(image.size) * size / (size + _CROP_PADDING)
    left, top = ((length - side) / 2 for length in image.size)
    square = image.resize(
        (size, size),
        Image.Resampling.BICUBIC,
        box=(left, top, left + side, top + side),
        reducing_gap=_REDUCING_GAP,
    )
    return np.asarray(square)
