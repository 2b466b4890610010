"""The 8-bit graph against float32 arithmetic, on a small encoder with random weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from postscope.indexing.encoders import bert_graph
from postscope.indexing.encoders.base import EncoderUnavailable
from postscope.indexing.encoders.bert_graph import Bert, Dense, Layer, Norm, build_graph
from postscope.indexing.encoders.onnx_session import open_session
from tests.indexing.bert_reference import forward

WIDTH, HIDDEN, HEADS = 32, 64, 4
RANDOM = np.random.default_rng(7)


def dense(out: int, into: int) -> Dense:
    weight = RANDOM.normal(size=(out, into), scale=into**-0.5).astype(np.float32)
    return Dense(weight, RANDOM.normal(size=out, scale=0.1).astype(np.float32))


def norm() -> Norm:
    return Norm(RANDOM.uniform(0.5, 1.5, WIDTH).astype(np.float32), RANDOM.normal(size=WIDTH).astype(np.float32))


def layer() -> Layer:
    return Layer(
        dense(3 * WIDTH, WIDTH),
        dense(WIDTH, WIDTH),
        norm(),
        dense(HIDDEN, WIDTH),
        dense(WIDTH, HIDDEN),
        norm(),
    )


BERT = Bert(heads=HEADS, epsilon=1e-12, embedding_norm=norm(), layers=[layer(), layer()])
TEXTS = [RANDOM.normal(size=(length, WIDTH)).astype(np.float32) for length in (7, 1, 4)]


def pooled(bert: Bert, texts: list[np.ndarray], *, unsigned: bool = False, fill: float = 0.0) -> np.ndarray:
    longest = max(map(len, texts))
    embeddings = np.full((len(texts), longest, WIDTH), fill, np.float32)
    mask = np.zeros((len(texts), longest), np.int32)
    for row, text in enumerate(texts):
        embeddings[row, : len(text)], mask[row, : len(text)] = text, 1
    pooling = (mask / mask.sum(axis=1, keepdims=True)).astype(np.float32)[:, None]
    session = open_session(build_graph(bert, unsigned=unsigned), threads=1)
    return session.run(["pooled"], {"embeddings": embeddings, "mask": mask, "pooling": pooling})[0][:, 0]


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def reference() -> np.ndarray:
    return np.array([forward(BERT, text).mean(axis=0) for text in TEXTS])


def test_close_to_float32():
    assert cosines(pooled(BERT, TEXTS), reference()).min() > 0.999


def test_unsigned_weights_give_the_same_bits():
    np.testing.assert_array_equal(pooled(BERT, TEXTS), pooled(BERT, TEXTS, unsigned=True))


def test_what_stands_at_padding_is_ignored():
    np.testing.assert_allclose(pooled(BERT, TEXTS), pooled(BERT, TEXTS, fill=50.0), atol=1e-5)


def test_a_loud_neighbour_changes_nothing():
    loud = [*TEXTS, TEXTS[0] * 1000]
    np.testing.assert_allclose(pooled(BERT, TEXTS), pooled(BERT, loud)[:3], atol=1e-5)


def test_damping_a_loud_channel_restores_precision():
    first = BERT.layers[0]
    gain = BERT.embedding_norm.scale.copy()
    gain[5] *= 200
    weight = first.qkv.weight.copy()
    weight[:, 5] /= 200
    loud = replace(
        BERT,
        embedding_norm=replace(BERT.embedding_norm, scale=gain),
        layers=[replace(first, qkv=replace(first.qkv, weight=weight)), *BERT.layers[1:]],
    )
    damped_qkv = replace(loud.layers[0].qkv, damping={5: 7})
    damped = replace(loud, layers=[replace(loud.layers[0], qkv=damped_qkv), *loud.layers[1:]])
    expected = np.array([forward(loud, text).mean(axis=0) for text in TEXTS])
    plain_error = 1 - cosines(pooled(loud, TEXTS), expected).mean()
    damped_error = 1 - cosines(pooled(damped, TEXTS), expected).mean()
    assert damped_error < plain_error


def test_silent_input_is_defined():
    assert np.isfinite(pooled(BERT, [np.zeros((3, WIDTH), np.float32)])).all()


@pytest.mark.parametrize(
    ("flags", "machine", "unsigned"),
    [
        ("flags : avx2 avx512_vnni", "x86_64", False),
        ("flags : avx2 avx_vnni", "AMD64", False),
        ("flags : avx2 fma", "x86_64", True),
        ("", "x86_64", True),
        ("Features : asimd", "aarch64", False),
    ],
)
def test_processors_without_vnni_get_unsigned_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, machine: str, unsigned: bool
):
    (tmp_path / "cpuinfo").write_text(flags)
    monkeypatch.setattr(bert_graph.platform, "machine", lambda: machine)
    assert bert_graph.needs_unsigned(tmp_path / "cpuinfo") is unsigned


def test_an_x86_that_cannot_be_read_gets_unsigned_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bert_graph.platform, "machine", lambda: "x86_64")
    assert bert_graph.needs_unsigned(tmp_path / "absent") is True


def test_a_broken_model_is_refused():
    with pytest.raises(EncoderUnavailable, match="ONNX Runtime cannot load the model"):
        open_session(b"not a model", threads=1)


def test_no_threads_is_refused():
    with pytest.raises(ValueError, match="threads must be at least 1, not 0"):
        open_session(b"", threads=0)
