"""Images to the tensors of an open_clip model, made by a pool of threads while the model runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PIL import Image

VERSION = "images1"
"""Raised when anything here changes a vector."""
MAX_ASPECT_CROPPED = 4
MAX_ASPECT_WHOLE = 64
AHEAD = 2
"""Batches prepared before the model asks for them: enough to keep it busy, few enough to bound the memory."""


class ImageTransform:
    """The inference preprocessing of an open_clip model, defined for every shape from one pixel up.

    Args:
        preprocess: the model's own preprocessing configuration.
    """

    def __init__(self, preprocess: dict[str, Any]) -> None:
        from open_clip.transform import PreprocessCfg, image_transform_v2

        self._transform = image_transform_v2(PreprocessCfg(**preprocess), is_train=False)
        # ``shortest`` resizes by the shorter side and keeps the central square.
        self._max_aspect = MAX_ASPECT_CROPPED if preprocess["resize_mode"] == "shortest" else MAX_ASPECT_WHOLE

    def __call__(self, image: Image.Image) -> Any:
        """A float32 tensor of shape (3, height, width)."""
        return self._transform(_tame(image.convert("RGB"), self._max_aspect))


def _tame(image: Image.Image, max_aspect: int) -> Image.Image:
    """Cut the ends off a strip.

    Resized by its shorter side, 1 x 5,000 pixels would become 224 x 1,120,000 (750 MB) before the crop to the
    centre; resized by its longer side it would be 0 pixels wide.
    """
    width, height = image.size
    longest = max_aspect * min(width, height)
    if max(width, height) <= longest:
        return image
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return image.crop((left, top, left + min(width, longest), top + min(height, longest)))


def prepared_batches(
    pool: ThreadPoolExecutor, transform: ImageTransform, images: Sequence[Image.Image], size: int
) -> Iterator[Any]:
    """Tensors of shape (up to ``size``, 3, height, width), in the order of ``images``, made ahead."""
    import torch

    waiting: deque[list[Future[Any]]] = deque()
    for start in range(0, len(images), size):
        waiting.append([pool.submit(transform, image) for image in images[start : start + size]])
        if len(waiting) > AHEAD:
            yield torch.stack([future.result() for future in waiting.popleft()])
    while waiting:
        yield torch.stack([future.result() for future in waiting.popleft()])
