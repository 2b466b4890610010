"""A BERT encoder as an ONNX graph with 8-bit matrix products.

Weights are rounded to int8 with one scale an output channel. Activations are rounded to uint8 with one
scale a *token*: a scale for the whole tensor, as ONNX Runtime's dynamic quantisation has it, is set by the
loudest token of the batch, costs five times the error, and makes a text's vector depend on its neighbours.
A few channels of a trained encoder are an order of magnitude louder than the rest; those are divided by a
power of two before rounding and their weights multiplied by it, which changes nothing but the rounding
error (SmoothQuant, Xiao et al. 2023, arXiv:2211.10438).
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.encoders.onnx_session import Session, open_session

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[np.float32]

GRAPH_VERSION: Final = 1
"""Raised whenever the graph computes something else."""

_OPSET: Final = 20
_IR_VERSION: Final = 10
_CONTRIB: Final = "com.microsoft"
_SMALLEST_PEAK: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Dense:
    """``x @ weight.T + bias``, with weight (out, in) and bias (out,).

    ``damping`` maps input channels to the exponent of the power of two they are divided by before rounding.
    """

    weight: Array
    bias: Array
    damping: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Norm:
    """Layer normalisation over the last axis: scale and shift of shape (width,)."""

    scale: Array
    shift: Array


@dataclass(frozen=True, slots=True)
class Layer:
    """One post-norm transformer layer; ``qkv`` stacks query, key and value, ``up`` is followed by GELU."""

    qkv: Dense
    attention: Dense
    attention_norm: Norm
    up: Dense
    down: Dense
    output_norm: Norm


@dataclass(frozen=True, slots=True)
class Bert:
    """The part of a BERT encoder behind its embedding tables."""

    heads: int
    epsilon: float
    embedding_norm: Norm
    layers: Sequence[Layer]


def open_bert(bert: Bert, *, threads: int) -> Session:
    """A session of the encoder's graph on this processor; for inputs and output see ``build_graph``.

    The graph is built at every start: that takes 0.2 s for multilingual-e5-small, as long as reading it
        from a file.

    Raises:
        EncoderUnavailable: ONNX Runtime cannot load it.
    """
    # The fused kernel takes four times as long as the addition and the norm that it replaces.
    return open_session(build_graph(bert, unsigned=needs_unsigned()), threads=threads, without=["SkipLayerNormFusion"])


def build_graph(bert: Bert, *, unsigned: bool) -> bytes:
    """A serialised ONNX model.

    Inputs: ``embeddings`` float32 (batch, tokens, width), the sum of a token's embeddings; ``mask`` int32
    (batch, tokens), 1 for a token and 0 for padding; ``pooling`` float32 (batch, 1, tokens), each token's
    share in the mean. Output: ``pooled`` float32 (batch, 1, width), not of unit length.

    Args:
        bert: the weights.
        unsigned: store weights as uint8 around 128. The result is the same to the bit; see
            ``needs_unsigned``.
    """
    return _Writer(bert, unsigned).model().SerializeToString()  # type: ignore[no-any-return]


def needs_unsigned(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this processor needs unsigned weights.

    An x86 without VNNI multiplies uint8 by int8 with an instruction that adds pairs in saturating 16 bits,
    which clips large products. For uint8 by uint8 ONNX Runtime widens first: slower, and exact.
    """
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return False
    try:
        flags = set(cpuinfo.read_text().split())
    except OSError:
        return True
    return not flags & {"avx512_vnni", "avx_vnni"}


class _Writer:
    """Collects nodes and tensors; every method that adds a node returns the name of its result."""

    def __init__(self, bert: Bert, unsigned: bool) -> None:
        from onnx import helper, numpy_helper

        self._bert = bert
        self._unsigned = unsigned
        self._helper = helper
        self._as_tensor = numpy_helper.from_array
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: list[onnx.TensorProto] = []

    def model(self) -> onnx.ModelProto:
        bert = self._bert
        self._constant("last_axis", np.array([-1], np.int64))
        self._constant("smallest_peak", np.array(_SMALLEST_PEAK, np.float32))
        self._constant("step", np.array(1 / 127, np.float32))
        self._constant("middle", np.array(128, np.uint8))
        x = self._norm("embeddings", bert.embedding_norm, "embedding")
        for number, layer in enumerate(bert.layers):
            x = self._layer(x, layer, f"layer{number}")
        self._node("MatMul", ["pooling", x], "pooled")
        return self._wrap()

    def _layer(self, x: str, layer: Layer, name: str) -> str:
        qkv = self._dense(x, layer.qkv, f"{name}.qkv")
        parts = [f"{name}.query", f"{name}.key", f"{name}.value"]
        self._nodes.append(self._helper.make_node("Split", [qkv], parts, axis=-1, num_outputs=3))
        context = self._node(
            "MultiHeadAttention",
            [*parts, "", "mask"],
            f"{name}.context",
            domain=_CONTRIB,
            num_heads=self._bert.heads,
        )
        attended = self._dense(context, layer.attention, f"{name}.attention")
        x = self._norm(self._node("Add", [x, attended], f"{name}.mid"), layer.attention_norm, f"{name}.attention_norm")
        hidden = self._node("Gelu", [self._dense(x, layer.up, f"{name}.up")], f"{name}.gelu")
        down = self._dense(hidden, layer.down, f"{name}.down")
        return self._norm(self._node("Add", [x, down], f"{name}.end"), layer.output_norm, f"{name}.norm")

    def _dense(self, x: str, dense: Dense, name: str) -> str:
        weight = dense.weight
        if dense.damping:
            factors = np.ones(weight.shape[1], np.float32)
            for channel, exponent in dense.damping.items():
                factors[channel] = 2.0**exponent
            weight = weight * factors
            x = self._node("Mul", [x, self._constant(f"{name}.damping", 1 / factors)], f"{name}.damped")
        peak = self._node("ReduceMax", [self._node("Abs", [x], f"{name}.abs"), "last_axis"], f"{name}.peak", keepdims=1)
        peak = self._node("Max", [peak, "smallest_peak"], f"{name}.scale")
        even = self._node("Div", [x, peak], f"{name}.even")
        rounded = self._node("QuantizeLinear", [even, "step", "middle"], f"{name}.rounded")
        product = self._node(
            "MatMulIntegerToFloat",
            [rounded, *self._rounded_weight(weight, name)],
            f"{name}.product",
            domain=_CONTRIB,
        )
        scaled = self._node("Mul", [product, peak], f"{name}.scaled")
        return self._node("Add", [scaled, self._constant(f"{name}.bias", dense.bias)], name)

    def _rounded_weight(self, weight: Array, name: str) -> list[str]:
        """The inputs of MatMulIntegerToFloat behind A: B, scale of A, scale of B, zeros of A, of B."""
        scale = np.maximum(np.abs(weight).max(axis=1) / 127, np.finfo(np.float32).tiny)
        rounded = np.rint(weight / scale[:, None]).astype(np.int8)
        zeros = np.zeros(len(scale), np.int8)
        if self._unsigned:
            rounded, zeros = rounded.view(np.uint8) ^ 0x80, zeros.view(np.uint8) ^ 0x80
        return [
            self._constant(f"{name}.weight", rounded.T),
            "step",
            self._constant(f"{name}.weight_scale", scale.astype(np.float32)),
            "middle",
            self._constant(f"{name}.weight_zeros", zeros),
        ]

    def _norm(self, x: str, norm: Norm, name: str) -> str:
        inputs = [x, self._constant(f"{name}.gain", norm.scale), self._constant(f"{name}.shift", norm.shift)]
        return self._node("LayerNormalization", inputs, name, axis=-1, epsilon=self._bert.epsilon)

    def _constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self._tensors.append(self._as_tensor(np.ascontiguousarray(value), name))
        return name

    def _node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self._nodes.append(self._helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _wrap(self) -> onnx.ModelProto:
        from onnx import TensorProto

        helper = self._helper
        width = len(self._bert.embedding_norm.scale)

        def value(name: str, kind: int, shape: Sequence[str | int]) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, kind, shape)

        graph = helper.make_graph(
            self._nodes,
            "bert",
            [
                value("embeddings", TensorProto.FLOAT, ["batch", "tokens", width]),
                value("mask", TensorProto.INT32, ["batch", "tokens"]),
                value("pooling", TensorProto.FLOAT, ["batch", 1, "tokens"]),
            ],
            [value("pooled", TensorProto.FLOAT, ["batch", 1, width])],
            self._tensors,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
