"""Reads the tensors of a torch checkpoint (``.pth``) without torch and without trusting its pickle.

Only the legacy layout (before torch 1.6) is read, since the pinned weights use it: one after the other a
magic number, a protocol version, a description of the writing machine, the object itself, the list of storage
keys, and then for each key an int64 element count and the raw elements. The layout is that of
``torch/serialization.py``, ``_legacy_save``.

A pickle names callables to call. Here the names that rebuild a table of tensors are answered by objects of
this module that cannot be altered, and every other name ends the reading.
"""

from __future__ import annotations

import math
import pickle  # the restricted subclass below admits no name but those of tensors
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from postscope.indexing.encoders.base import EncoderError

Tensor = npt.NDArray[np.generic]

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001
_DTYPES: Final = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}


class UnreadableWeights(EncoderError):
    """The file is not a legacy torch checkpoint of plain tensors; the message says what was met instead."""


def read_torch_weights(path: Path) -> dict[str, Tensor]:
    """The state dict of a legacy checkpoint, in the file's order, each tensor contiguous and its own copy.

    Raises:
        UnreadableWeights: the file is cut short, of another layout, or its pickle asks for more than tensors.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            return _read(file, size)
        except UnreadableWeights:
            raise
        # What a malformed pickle makes the unpickler raise is not bounded by its documentation.
        except Exception as error:
            raise UnreadableWeights(f"{path.name}: {type(error).__name__}: {error}") from error


def _read(file: BinaryIO, size: int) -> dict[str, Tensor]:
    if _unpickle(file) != _MAGIC or _unpickle(file) != _PROTOCOL:
        raise UnreadableWeights("not a legacy torch checkpoint (magic number or protocol differs)")
    machine = _unpickle(file)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise UnreadableWeights("written on a big-endian machine")
    storages: dict[str, _Storage] = {}
    state = _unpickle(file, storages)
    keys = _unpickle(file)
    if not isinstance(state, dict) or not isinstance(keys, list) or set(keys) != set(storages):
        raise UnreadableWeights("not a state dict, or its storages are not those it lists")
    buffers = {key: storages[key].read(file, size) for key in keys}
    tensors: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise UnreadableWeights(f"entry {name!r:.80} is not a named tensor")
        tensors[name] = tensor.view(buffers[tensor.storage.key])
    return tensors


class _Storage:
    """One run of elements, known by its key until its bytes are read."""

    __slots__ = ("dtype", "key", "numel")

    def __init__(self, key: str, dtype: str, numel: int) -> None:
        self.key, self.dtype, self.numel = key, dtype, numel

    def read(self, file: BinaryIO, size: int) -> Tensor:
        dtype = np.dtype(self.dtype)
        numel = int.from_bytes(file.read(8), "little", signed=True)
        if numel != self.numel or not 0 <= numel * dtype.itemsize <= size - file.tell():
            raise UnreadableWeights(f"storage {self.key} is cut short or not of the size announced")
        return np.frombuffer(file.read(numel * dtype.itemsize), dtype)


class _Tensor:
    """A view on a storage: offset, shape and strides, counted in elements."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(self, storage: _Storage, offset: int, shape: Sequence[int], strides: Sequence[int]) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, tuple(shape), tuple(strides)

    def view(self, buffer: Tensor) -> Tensor:
        if len(self.shape) != len(self.strides) or min((*self.shape, *self.strides, self.offset), default=0) < 0:
            raise UnreadableWeights("a tensor with negative or mismatched sizes")
        reach = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        # A stride of 0 lets few elements pretend to be many: no tensor here is larger than its storage.
        count = math.prod(self.shape)
        if count > len(buffer) or (count and self.offset + reach >= len(buffer)):
            raise UnreadableWeights("a tensor that reaches beyond its storage")
        steps = tuple(s * buffer.itemsize for s in self.strides)
        return np.lib.stride_tricks.as_strided(buffer[self.offset :], self.shape, steps).copy()


class _Rebuild:
    """Answers to ``torch._utils._rebuild_tensor_v2``; slots keep a pickle's BUILD from altering it."""

    __slots__ = ()

    def __call__(
        self, storage: object, offset: object, shape: object, strides: object, *_grad_and_hooks: object
    ) -> _Tensor:
        if not (isinstance(storage, _Storage) and isinstance(offset, int)):
            raise UnreadableWeights("a tensor without a storage")
        if not (isinstance(shape, tuple) and isinstance(strides, tuple)):
            raise UnreadableWeights("a tensor without a shape")
        if not all(isinstance(n, int) for n in (*shape, *strides)):
            raise UnreadableWeights("a tensor whose shape is not whole numbers")
        return _Tensor(storage, offset, shape, strides)


class _TensorUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Rebuild()
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise UnreadableWeights(f"its pickle asks for {module}.{name}, which no table of tensors needs")

    def persistent_load(self, pid: object) -> _Storage:
        match pid:
            case ("storage", str(dtype), str(key), str(), int(numel), None) if dtype in _DTYPES.values():
                storage = self._storages.setdefault(key, _Storage(key, dtype, numel))
                if (storage.dtype, storage.numel) == (dtype, numel):
                    return storage
        raise UnreadableWeights(f"its pickle refers to {pid!r:.80}, which is no storage")


def _unpickle(file: BinaryIO, storages: dict[str, _Storage] | None = None) -> object:
    return _TensorUnpickler(file, {} if storages is None else storages).load()
