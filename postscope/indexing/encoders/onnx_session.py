"""ONNX Runtime sessions. The only module that imports onnxruntime.

ONNX Runtime sends usage events and writes a device id below the home folder unless
``ORT_DISABLE_TELEMETRY`` is set before the library is loaded, so it is set here, and nothing else may
import it first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from postscope.indexing.encoders.base import EncoderUnavailable


class Session(Protocol):
    """What is used of ``onnxruntime.InferenceSession``.

    ``run`` is safe from several threads and drops the GIL.
    """

    def run(
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, npt.NDArray[Any]]
    ) -> list[npt.NDArray[Any]]:
        """The named outputs (all of them for None) for these inputs."""
        ...

    def get_providers(self) -> list[str]:
        """Execution providers in use, the preferred one first."""
        ...


def open_session(model: Path | bytes, *, threads: int, gpu: bool = False, without: Sequence[str] = ()) -> Session:
    """Load a model for inference.

    Threads sleep rather than spin while they wait: a spinning pool of one session takes the cores from
        every other
    session of the process, and from PostgreSQL and Qdrant beside it.

    Args:
        model: an ONNX file, or its bytes.
        threads: threads of one run, the calling one included; at least 1.
        gpu: run on CUDA where onnxruntime-gpu and a device are present, else on the CPU. Untested: no GPU
            was at hand.
        without: names of graph optimisers to leave out.

    Raises:
        EncoderUnavailable: the model cannot be loaded.
        ValueError: ``threads`` is below 1.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = ["CPUExecutionProvider"]
    if gpu and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, "CUDAExecutionProvider")
    source = model if isinstance(model, bytes) else str(model)
    try:
        session: Session = onnxruntime.InferenceSession(
            source, options, providers=providers, disabled_optimizers=list(without)
        )
    except Exception as error:  # the library's errors share no narrower root
        raise EncoderUnavailable(f"ONNX Runtime cannot load the model: {error}") from error
    return session
