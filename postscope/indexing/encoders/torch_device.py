"""What every torch-backed encoder needs: a device, an inference context, a fingerprint, clear errors.

Torch is imported inside the functions: it takes seconds, and the default install does not have it.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from postscope.indexing.encoders.base import EncoderError, EncoderUnavailable


@dataclass(frozen=True, slots=True)
class TorchDevice:
    """Where a model runs.

    Attributes:
        name: a torch device such as ``cpu`` or ``cuda:0``.
        half: matrix products in float16 by autocast; the weights stay float32, so every kind of open_clip
            tower works the same and the fingerprint does not depend on the device.
    """

    name: str
    half: bool

    @contextmanager
    def inference(self) -> Iterator[None]:
        """No gradients, and half precision where the device has it; both are the calling thread's own."""
        import torch

        kind = self.name.partition(":")[0]
        with torch.inference_mode(), torch.autocast(kind, dtype=torch.float16, enabled=self.half):
            yield


def require(module: str) -> Any:
    """Import an optional library.

    Raises:
        EncoderUnavailable: it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise EncoderUnavailable(f"{module} is not installed: pip install 'postscope[clip]'") from error


@contextmanager
def loading(what: str, hint: str) -> Iterator[None]:
    """Turn whatever a library raises while it loads a model into ``EncoderUnavailable``.

    open_clip, transformers and huggingface_hub raise RuntimeError, OSError, KeyError, TypeError,
    UnpicklingError and errors of their own for the same few reasons, so the edge is drawn around all of them.
    """
    try:
        yield
    except EncoderError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise EncoderUnavailable(f"{what} could not be loaded: {reason}. {hint}") from error


def pick_device(device: str, *, threads: int) -> TorchDevice:
    """Choose the device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:<n>``.

    On the CPU the number of threads of torch, which is one for the whole process, becomes ``threads``. The
    GPU branch is untested on a GPU.

    Raises:
        EncoderUnavailable: torch is missing, the name is unknown or there is no such GPU.
    """
    torch = require("torch")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu" or (device == "auto" and not gpus):
        torch.set_num_threads(max(1, threads))
        return TorchDevice("cpu", half=False)
    kind, _, number = ("cuda" if device == "auto" else device).partition(":")
    if kind != "cuda" or not (number == "" or number.isdecimal()):
        raise EncoderUnavailable(f"device {device!r} is unknown: use auto, cpu, cuda or cuda:<n>")
    if int(number or 0) >= gpus:
        raise EncoderUnavailable(f"device {device!r} is not here: torch sees {gpus} GPU(s)")
    return TorchDevice(f"cuda:{int(number or 0)}", half=True)


def fingerprint(model: Any) -> str:
    """SHA-256 over the names, types, shapes and bytes of a model's state, in the order of the names.

    The state rather than the file: the same weights have the same fingerprint whether they came from the hub,
    a ``.pt`` or a ``.safetensors``, so moving a model to an offline machine makes no new space.
    """
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
