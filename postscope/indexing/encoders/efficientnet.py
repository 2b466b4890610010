"""EfficientNet-Lite as an ONNX graph, written from the tensors of its torch checkpoint.

Architecture: Tan and Le 2019 (arXiv:1905.11946) without squeeze-and-excitation, with ReLU6, and with the
stem, the head and the repeats of the first and last stage left unscaled, as published at
``tensorflow/tpu/models/official/efficientnet/lite``. Widths and kernel sizes are read off the tensors'
shapes; only what no shape tells (strides, repeats, input size) is written here. Convolutions pad as
TensorFlow's SAME does, more at the end than at the start, and each batch norm is folded into the convolution
before it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.encoders.cache_files import write_whole
from postscope.indexing.encoders.torch_weights import Tensor, UnreadableWeights, read_torch_weights

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[np.float32]

GRAPH_VERSION: Final = 1
"""Raised whenever the written graph changes, so that a cached one is not taken for it."""

_OPSET: Final = 17
_IR_VERSION: Final = 8
_STRIDES: Final = (1, 2, 2, 2, 1, 2, 1)
_BATCH_NORM_EPSILON: Final = 1e-3
# Pixel values of 0..255 become (pixel - 127) / 128: MEAN_RGB and STDDEV_RGB of the published training code.
_PIXEL_MEAN: Final = 127.0
_PIXEL_SCALE: Final = 1 / 128


@dataclass(frozen=True, slots=True)
class Variant:
    """What the shapes of the weights do not tell.

    Attributes:
        name: as in the checkpoint's name.
        size: side of the square input, in pixels.
        repeats: blocks in each of the seven stages.
    """

    name: str
    size: int
    repeats: tuple[int, ...]


LITE0: Final = Variant("efficientnet-lite0", 224, (1, 2, 2, 3, 3, 4, 1))
LITE2: Final = Variant("efficientnet-lite2", 260, (1, 3, 3, 4, 4, 5, 1))


def cached_graph(variant: Variant, weights: Path, cache_dir: Path) -> Path:
    """The variant's ONNX file in ``cache_dir``, written there first if it is not.

    The name holds the hash of the weights and of the graph's version, so a change of either is another file.

    Raises:
        UnreadableWeights: ``weights`` is not a checkpoint of this variant.
    """
    digest = hashlib.sha256(weights.read_bytes())
    digest.update(f"{GRAPH_VERSION} {variant}".encode())
    path = cache_dir / f"{variant.name}-{digest.hexdigest()[:16]}.onnx"
    if not path.exists():
        write_whole(path, build_graph(variant, read_torch_weights(weights)))
    return path


def build_graph(variant: Variant, weights: Mapping[str, Tensor]) -> bytes:
    """A serialised ONNX model.

    Input ``pixels``: uint8 (n, size, size, 3), RGB. Outputs: ``probabilities`` float32 (n, 1000), rows
    summing to one, in ImageNet-1k order; ``features`` float32 (n, 1280), the pooled activations before the
    classifier.

    Raises:
        UnreadableWeights: a tensor is missing, has an unexpected shape, or is left over.
    """
    graph = _Graph(weights)
    x = graph.normalised("pixels")
    x = graph.convolution(x, "_conv_stem", "_bn0", size=variant.size, stride=2)
    size = math.ceil(variant.size / 2)
    for index, stride in _blocks(variant):
        x = graph.block(x, f"_blocks.{index}.", size=size, stride=stride)
        size = math.ceil(size / stride)
    x = graph.convolution(x, "_conv_head", "_bn1", size=size)
    features = graph.node("GlobalAveragePool", x)
    features = graph.node("Flatten", features, output="features")
    graph.node("Softmax", graph.dense(features, "_fc"), output="probabilities")
    return graph.serialise(variant)


def _blocks(variant: Variant) -> Iterator[tuple[int, int]]:
    """Each block's number and stride; only the first block of a stage strides."""
    index = 0
    for repeats, stride in zip(variant.repeats, _STRIDES, strict=True):
        for position in range(repeats):
            yield index, stride if position == 0 else 1
            index += 1


class _Graph:
    """Collects nodes and constants; every method that adds a node returns the name of its output."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = {k: v for k, v in weights.items() if not k.endswith(".num_batches_tracked")}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._constant("zero", np.array(0, np.float32))
        self._constant("six", np.array(6, np.float32))

    def node(self, kind: str, *inputs: str, output: str | None = None, **attributes: object) -> str:
        from onnx import helper

        output = output or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def normalised(self, pixels: str) -> str:
        """Rows of RGB bytes to planes of floats, before the stem pads with zeros."""
        x = self.node("Transpose", self.node("Cast", pixels, to=1), perm=[0, 3, 1, 2])
        x = self.node("Sub", x, self._constant("pixel_mean", np.array(_PIXEL_MEAN, np.float32)))
        return self.node("Mul", x, self._constant("pixel_scale", np.array(_PIXEL_SCALE, np.float32)))

    def block(self, x: str, prefix: str, *, size: int, stride: int) -> str:
        """An inverted bottleneck: expand (not in the first stage), depthwise, project, and the way around."""
        expand, depthwise, project = (f"{prefix}_{step}_conv" for step in ("expand", "depthwise", "project"))
        channels, inner = self._channels(depthwise), x
        if f"{expand}.weight" in self._weights:
            channels = self._channels(expand, axis=1)
            inner = self.convolution(x, expand, f"{prefix}_bn0", size=size)
        inner = self.convolution(inner, depthwise, f"{prefix}_bn1", size=size, stride=stride)
        skips = stride == 1 and channels == self._channels(project)
        inner = self.convolution(inner, project, f"{prefix}_bn2", size=math.ceil(size / stride), bounded=False)
        return self.node("Add", inner, x) if skips else inner

    def convolution(self, x: str, layer: str, norm: str, *, size: int, stride: int = 1, bounded: bool = True) -> str:
        """Convolution with its batch norm folded in, then ReLU6 if ``bounded``."""
        weight = self._take(f"{layer}.weight", 4)
        gain = self._take(f"{norm}.weight", 1)
        gain = gain / np.sqrt(self._take(f"{norm}.running_var", 1) + _BATCH_NORM_EPSILON)
        bias = self._take(f"{norm}.bias", 1) - self._take(f"{norm}.running_mean", 1) * gain
        outputs, inputs_per_group, kernel, _ = weight.shape
        missing = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        start, end = missing // 2, missing - missing // 2
        x = self.node(
            "Conv",
            x,
            self._constant(f"{layer}.weight", weight * gain[:, None, None, None]),
            self._constant(f"{layer}.bias", bias),
            strides=[stride, stride],
            pads=[start, start, end, end],
            group=outputs if inputs_per_group == 1 else 1,
        )
        return self.node("Clip", x, "zero", "six") if bounded else x

    def dense(self, x: str, layer: str) -> str:
        weight = self._constant(f"{layer}.weight", self._take(f"{layer}.weight", 2))
        return self.node("Gemm", x, weight, self._constant(f"{layer}.bias", self._take(f"{layer}.bias", 1)), transB=1)

    def serialise(self, variant: Variant) -> bytes:
        import onnx
        from onnx import TensorProto, helper

        if self._weights:
            raise UnreadableWeights(f"{variant.name}: tensors left over: {', '.join(sorted(self._weights)[:5])}")
        pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", variant.size, variant.size, 3])
        outputs = [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 1000]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 1280]),
        ]
        graph = helper.make_graph(self._nodes, variant.name, [pixels], outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise UnreadableWeights(f"{variant.name}: shapes do not fit together: {error}") from error
        return bytes(model.SerializeToString())

    def _channels(self, layer: str, axis: int = 0) -> int:
        weight = self._weights.get(f"{layer}.weight")
        return 0 if weight is None or weight.ndim != 4 else int(weight.shape[axis])

    def _take(self, name: str, ndim: int) -> Array:
        tensor = self._weights.pop(name, None)
        if tensor is None or tensor.ndim != ndim:
            raise UnreadableWeights(f"no tensor {name} of {ndim} dimensions")
        return tensor.astype(np.float32)

    def _constant(self, name: str, value: Array) -> str:
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name
