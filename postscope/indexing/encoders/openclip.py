"""The ``open_clip:<model>/<pretrained>`` encoder: any CLIP-like model that open_clip can load."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from postscope.indexing.encoders import openclip_images
from postscope.indexing.encoders.base import EncoderUnavailable
from postscope.indexing.encoders.openclip_images import ImageTransform, prepared_batches
from postscope.indexing.encoders.openclip_loading import LoadedClip, load_clip, parse_spec
from postscope.indexing.encoders.openclip_text import ClipText, SentenceText, TextSide
from postscope.indexing.encoders.torch_device import TorchDevice, pick_device
from postscope.indexing.types import Space, Vectors

IMAGE_BATCH = 32


class OpenClipEncoder:
    """Images by an open_clip model, texts by its own tower or by a model aligned to it. See ``Encoder``.

    A model in evaluation mode only reads its weights, so calls from several threads need no lock.

    Args:
        name: what the space is called.
        clip: the loaded model, already on its device.
        text: the text side.
        device: where they run.
        threads: size of the pool that prepares images.

    Raises:
        EncoderUnavailable: texts and images do not have the same number of dimensions.
    """

    def __init__(self, name: str, clip: LoadedClip, text: TextSide, *, device: TorchDevice, threads: int) -> None:
        self._model = clip.model
        self._text = text
        self._device = device
        self._transform = ImageTransform(clip.preprocess)
        self._pool = ThreadPoolExecutor(max_workers=max(1, threads), thread_name_prefix="open-clip-images")
        # One text and one image tell the dimensions, and settle what the libraries set up lazily while only
        # this thread is here.
        dim = self._encode_images([Image.new("RGB", (8, 8))]).shape[1]
        if (text_dim := text.encode(["a"]).shape[1]) != dim:
            raise EncoderUnavailable(f"{name}: texts have {text_dim} dimensions and images {dim}; they must agree")
        self._space = Space(name, _weights(clip, text), _preprocessing(clip, text), dim)

    @property
    def space(self) -> Space:
        """The fingerprint of both sides."""
        return self._space

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Shape (n, dim), unit length; whatever does not fit the model's window is cut."""
        return self._text.encode(texts) if texts else self._nothing()

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """The same as ``encode_texts``: these models are symmetric."""
        return self.encode_texts(texts)

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Shape (n, dim), unit length; images of any size from one pixel up."""
        return self._encode_images(images) if images else self._nothing()

    def _encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        import torch

        rows = []
        for batch in prepared_batches(self._pool, self._transform, images, IMAGE_BATCH):
            with self._device.inference():
                features = self._model.encode_image(batch.to(self._device.name)).float()
                rows.append(torch.nn.functional.normalize(features, dim=-1).cpu().numpy())
        return np.concatenate(rows)

    def _nothing(self) -> Vectors:
        return np.empty((0, self._space.dim), dtype=np.float32)


def open_openclip(
    spec: str, *, text_model: str | None, cache_dir: Path, device: str = "auto", threads: int
) -> OpenClipEncoder:
    """Load an encoder; seconds to minutes, the first time with a download unless the weights are local.

    Args:
        spec: ``open_clip:<model>/<pretrained>``; see ``parse_spec``.
        text_model: a sentence-transformers model (a folder or a name on the hub) for the text side; None for
            the model's own.
        cache_dir: where weights from the hub are kept.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``; half precision on a GPU (untested).
        threads: threads of the model on a CPU, and of the pool that prepares images.

    Raises:
        EncoderUnavailable: a library, the weights or the device is not here, or the setting is wrong.
    """
    parsed = parse_spec(spec)
    chosen = pick_device(device, threads=threads)
    clip = load_clip(parsed, cache_dir=cache_dir)
    clip.model.to(chosen.name)
    text: TextSide = (
        SentenceText(text_model, cache_dir=cache_dir, device=chosen) if text_model else ClipText(clip, chosen)
    )
    name = f"{parsed.name}+{Path(text_model).name}" if text_model else parsed.name
    return OpenClipEncoder(name, clip, text, device=chosen, threads=threads)


def _weights(clip: LoadedClip, text: TextSide) -> str:
    return hashlib.sha256(f"{clip.weights}\n{text.weights}".encode()).hexdigest()


def _preprocessing(clip: LoadedClip, text: TextSide) -> str:
    """Everything before and after the weights, readable: a change of any of it makes a new space."""
    images = json.dumps(clip.preprocess, sort_keys=True)
    return f"{openclip_images.VERSION} {images}; {text.preprocessing}; architecture {clip.config}"
