"""What every text tower offers, and the BERT tower that both bundled ones are.

A tower turns texts into unit vectors and knows nothing of images; an encoder is built on one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from postscope.indexing.encoders.onnx_session import Session
from postscope.indexing.types import Vectors

TokenIds = Sequence[int]
Tokenize = Callable[[Sequence[str]], list[TokenIds]]
"""Texts to token ids, each with its first and last special token, never longer than the model's window."""

Embed = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]]
"""Token ids (batch, tokens) to float32 (batch, tokens, width): word, position and type embeddings summed."""

SLICE_TOKENS: Final = 512
"""Tokens of one run of the model, padding included, unless one text alone is longer: about 60 ms on two
cores, so that a query beside a long call is never far from its turn. Larger slices are no faster: they
leave the cache."""

LONGEST_TEXT: Final = 4096
"""Characters of a text that are looked at: 512 tokens of 8 characters, more than any language needs."""


class TextTower(Protocol):
    """Texts to vectors of one space.

    Safe to call from several threads; the GIL is free while the model runs.
    """

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    @property
    def weights(self) -> str:
        """SHA-256 over the weights files that shape a vector."""
        ...

    @property
    def preprocessing(self) -> str:
        """Version of all that is done before and after the weights."""
        ...

    @property
    def dim(self) -> int:
        """Number of dimensions."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Documents, in the order given: float32 (n, dim), rows of unit length. Any string is defined."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Queries: the other side of an asymmetric model."""
        ...


class BertTower:
    """A BERT encoder whose token vectors are averaged and brought to unit length.

    Args:
        name, weights, preprocessing, dim: see ``TextTower``.
        tokenize: texts to token ids.
        embed: token ids to embeddings; whatever stands at padding is ignored.
        session: the graph of ``bert_graph.build_graph``.
        text_prefix, query_prefix: what the model wants to see before a document and before a query.
    """

    def __init__(
        self,
        *,
        name: str,
        weights: str,
        preprocessing: str,
        dim: int,
        tokenize: Tokenize,
        embed: Embed,
        session: Session,
        text_prefix: str = "",
        query_prefix: str = "",
    ) -> None:
        self.name = name
        self.weights = weights
        self.preprocessing = preprocessing
        self.dim = dim
        self._tokenize = tokenize
        self._embed = embed
        self._session = session
        self._text_prefix = text_prefix
        self._query_prefix = query_prefix

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Documents to unit vectors, float32 (n, dim), in the order given."""
        return self._encode(self._text_prefix, texts)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Queries to unit vectors, float32 (n, dim), in the order given."""
        return self._encode(self._query_prefix, texts)

    def _encode(self, prefix: str, texts: Sequence[str]) -> Vectors:
        vectors = np.empty((len(texts), self.dim), np.float32)
        if not texts:
            return vectors
        tokens = self._tokenize([prefix + readable(text) for text in texts])
        for chosen in slices([len(ids) for ids in tokens], SLICE_TOKENS):
            vectors[chosen] = self._run([tokens[row] for row in chosen])
        return vectors

    def _run(self, batch: Sequence[TokenIds]) -> Vectors:
        lengths = np.array([len(ids) for ids in batch])
        padded = np.zeros((len(batch), lengths.max()), np.int64)
        for row, ids in enumerate(batch):
            padded[row, : len(ids)] = ids
        mask = np.arange(padded.shape[1]) < lengths[:, None]
        inputs = {
            "embeddings": self._embed(padded),
            "mask": mask.astype(np.int32),
            "pooling": (mask / lengths[:, None]).astype(np.float32)[:, None, :],
        }
        (pooled,) = self._session.run(["pooled"], inputs)
        return unit(pooled[:, 0, :])


def readable(text: str) -> str:
    """The part of a text that a tokenizer gets.

    It is cut, composed (NFC), and rid of lone surrogates and NUL.
    """
    text = unicodedata.normalize("NFC", text[:LONGEST_TEXT])
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def slices(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Group rows of like length so that the padded size of a group stays within ``budget``.

    Longest first, so that the arena of the session is sized once. A row longer than the budget is a group
    by itself.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    start = 0
    while start < len(order):
        count = max(1, budget // lengths[order[start]])
        yield order[start : start + count]
        start += count


def unit(vectors: npt.NDArray[np.float32]) -> Vectors:
    """Rows scaled to unit length; float32 (n, dim), none of them zero."""
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled
