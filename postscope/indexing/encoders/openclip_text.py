"""The text side of an open_clip encoder: its own tower, or a sentence-transformers model aligned to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from postscope.indexing import hub
from postscope.indexing.encoders.openclip_loading import LoadedClip
from postscope.indexing.encoders.torch_device import TorchDevice, fingerprint, loading, require
from postscope.indexing.types import Vectors

VERSION = "texts1"
"""Raised when anything here changes a vector."""
BATCH = 64
CHARACTERS_A_TOKEN = 16
"""More than any language needs on average. A text is cut to this many characters a token before tokenising:
byte-pair encoding is quadratic in the length of a word, and a post may be one word of 100,000 characters."""
REMEMBERED_WORDS = 50_000


class TextSide(Protocol):
    """Texts to unit vectors in the space of the images.

    Attributes:
        weights: fingerprint of the weights.
        preprocessing: version of everything before and after them.
    """

    weights: str
    preprocessing: str

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Shape (n, dim), float32, unit length, in the order given. ``texts`` is not empty."""
        ...


class ClipText:
    """The text tower of the open_clip model itself.

    Args:
        clip: the loaded model, already on its device.
        device: where it runs.
    """

    def __init__(self, clip: LoadedClip, device: TorchDevice) -> None:
        self._model = clip.model
        self._tokenizer = clip.tokenizer
        self._device = device
        self._limit = clip.context * CHARACTERS_A_TOKEN
        if isinstance(getattr(self._tokenizer, "cache", None), dict):
            self._tokenizer.cache = _BoundedMemory(self._tokenizer.cache)
        self.weights = clip.weights
        self.preprocessing = f"{VERSION} clip {clip.context}"
        self._trims = self._can_trim()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See ``TextSide``."""
        import torch

        tokens = self._tokenizer([_clean(text, self._limit) for text in texts])
        ends = tokens.argmax(dim=-1)
        order = torch.argsort(ends, stable=True)
        rows = []
        for part in order.split(BATCH):
            width = int(ends[part].max()) + 1 if self._trims else tokens.shape[1]
            rows.append(self._forward(tokens[part, :width]))
        vectors = np.empty((len(texts), rows[0].shape[1]), dtype=np.float32)
        vectors[order.numpy()] = np.concatenate(rows)
        return vectors

    def _forward(self, tokens: Any) -> Vectors:
        with self._device.inference():
            tokens = tokens.to(self._device.name)
            features = self._trimmed(tokens) if self._trims else self._model.encode_text(tokens)
            return _unit(features)

    def _trimmed(self, tokens: Any) -> Any:
        """``CLIP.encode_text`` of open_clip on fewer positions than the window.

        Attention is causal and the vector is read at the end token, so what stands after it changes nothing;
        a post fills a third of the window.
        """
        import torch

        model, width = self._model, tokens.shape[1]
        states = model.token_embedding(tokens) + model.positional_embedding[:width]
        states = model.transformer(states, attn_mask=model.attn_mask[:width, :width])
        last = model.ln_final(states)[torch.arange(len(tokens), device=tokens.device), tokens.argmax(dim=-1)]
        projection = model.text_projection
        return projection(last) if callable(projection) else last @ projection

    def _can_trim(self) -> bool:
        """Whether this is the plain CLIP tower, and the trimmed path agrees with open_clip's own."""
        import open_clip
        import torch

        model = self._model
        plain = isinstance(model, open_clip.CLIP) and model.text_pool_type == "argmax"
        if not plain or model.attn_mask is None or model.text_projection is None:
            return False
        tokens = self._tokenizer(["a photo of a cat"]).to(self._device.name)
        width = int(tokens.argmax(dim=-1)) + 1
        with self._device.inference():
            ours, theirs = _unit(self._trimmed(tokens[:, :width])), _unit(model.encode_text(tokens))
        return bool(torch.allclose(torch.from_numpy(ours), torch.from_numpy(theirs), atol=1e-2))


class SentenceText:
    """A sentence-transformers model trained to give a CLIP text tower's vectors, often in many languages.

    Args:
        name: a folder, or a name on the hub such as ``clip-ViT-B-32-multilingual-v1``.
        cache_dir: where weights from the hub are kept.
        device: where it runs.

    Raises:
        EncoderUnavailable: the library is missing, or the weights are not here and cannot be fetched.
    """

    def __init__(self, name: str, *, cache_dir: Path, device: TorchDevice) -> None:
        library = require("sentence_transformers")
        with loading(f"text model {name}", "Without access to the hub give a local folder"):
            repo = text_repo(name)
            folder = name if repo is None else hub.at_hand(repo, cache_dir, hub.library_files)
            self._model = library.SentenceTransformer(str(folder), device=device.name, trust_remote_code=False).eval()
            window = self._model.max_seq_length or 512
        self._device = device
        self._limit = window * CHARACTERS_A_TOKEN
        self.weights = fingerprint(self._model)
        modules = "+".join(type(module).__name__ for module in self._model)
        self.preprocessing = f"{VERSION} sentence-transformers {modules} {window}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See ``TextSide``. The library sorts by length and batches inside."""
        with self._device.inference():
            found = self._model.encode(
                [_clean(text, self._limit) for text in texts],
                batch_size=BATCH,
                convert_to_tensor=True,
                show_progress_bar=False,
            )
            return _unit(found)


def text_repo(name: str) -> str | None:
    """The repository on the hub that a text model comes from; None where its name is that of a folder."""
    if Path(name).is_dir():
        return None
    return name if "/" in name else f"sentence-transformers/{name}"


def fetch_text_model(name: str, cache_dir: Path, *, tell: hub.Tell | None = None) -> hub.HubModel | None:
    """Get a text model from the hub; None where it is a folder.

    Raises:
        EncoderUnavailable: there is none of this name, or no way to it.
    """
    repo = text_repo(name)
    return None if repo is None else hub.fetch(repo, cache_dir, hub.library_files, tell=tell)


class _BoundedMemory(dict[str, str]):
    """The byte-pair tokenizer remembers every word it has seen; this remembers the first ones only.

    Nothing is ever removed: other threads read between their test and their look-up.
    """

    def __setitem__(self, word: str, pieces: str) -> None:
        if len(self) < REMEMBERED_WORDS:
            super().__setitem__(word, pieces)


def _clean(text: str, limit: int) -> str:
    """Cut to what can matter and replace lone surrogates, which have no UTF-8."""
    if len(text) > limit:
        text = " ".join(text.split())[:limit]
    return text.encode("utf-8", "replace").decode("utf-8")


def _unit(features: Any) -> Vectors:
    """A tensor of any float type on any device to float32 rows of unit length."""
    import torch

    rows: Vectors = torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()
    return rows
