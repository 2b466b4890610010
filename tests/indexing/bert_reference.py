"""The BERT encoder in float32 numpy, written from the paper: what the 8-bit graph is measured against."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from postscope.indexing.encoders.bert_graph import Bert, Dense, Norm
from postscope.indexing.encoders.text_tower import Embed, Tokenize, unit

Array = npt.NDArray[np.float32]
Observer = Callable[[str, Array], None]
"""Called with ``<layer number>.<matrix>`` and the matrix's input, (tokens, in)."""


def forward(bert: Bert, embeddings: Array, observe: Observer = lambda _name, _input: None) -> Array:
    """One text's last hidden states, (tokens, width), from its summed embeddings, (tokens, width)."""
    x = _norm(embeddings, bert.embedding_norm, bert.epsilon)
    for number, layer in enumerate(bert.layers):
        observe(f"{number}.qkv", x)
        context = _attend(_dense(x, layer.qkv), bert.heads)
        observe(f"{number}.attention", context)
        x = _norm(x + _dense(context, layer.attention), layer.attention_norm, bert.epsilon)
        observe(f"{number}.up", x)
        hidden = _gelu(_dense(x, layer.up))
        observe(f"{number}.down", hidden)
        x = _norm(x + _dense(hidden, layer.down), layer.output_norm, bert.epsilon)
    return x


def reference_vectors(bert: Bert, tokenize: Tokenize, embed: Embed, texts: Sequence[str]) -> Array:
    """Unit vectors of texts that already carry the model's prefix, (n, width)."""
    means = [forward(bert, embed(np.array([ids]))[0]).mean(axis=0) for ids in tokenize(texts)]
    return unit(np.array(means, np.float32))


def _dense(x: Array, dense: Dense) -> Array:
    return x @ dense.weight.T + dense.bias


def _norm(x: Array, norm: Norm, epsilon: float) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon) * norm.scale + norm.shift


def _attend(qkv: Array, heads: int) -> Array:
    tokens = len(qkv)
    query, key, value = qkv.reshape(tokens, 3, heads, -1).transpose(1, 2, 0, 3)
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return (weights @ value).transpose(1, 0, 2).reshape(tokens, -1)


def _erf(x: Array) -> Array:
    """Abramowitz and Stegun 7.1.26, right to 1.5e-7; numpy has none."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1 - series * np.exp(-x * x))


def _gelu(x: Array) -> Array:
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))
