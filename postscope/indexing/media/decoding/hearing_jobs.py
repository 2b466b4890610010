"""The job of the processes that hear: samples in, texts out. They never see a file from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from postscope.indexing.media.decoding.speech import Hearing, SpeechGates

Emit = Callable[[dict[str, Any], bytes], None]
Job = Callable[[int, dict[str, Any], Emit], dict[str, Any]]


class HearJob:
    """Keeps the model from one sound to the next."""

    def __init__(self) -> None:
        self._hearing: Hearing | None = None

    def __call__(self, file: int, params: dict[str, Any], emit: Emit) -> dict[str, Any]:
        """Texts, one message each."""
        if self._hearing is None:
            self._hearing = Hearing(
                Path(params["folder"]), threads=params["threads"], gates=SpeechGates(**params["gates"])
            )
        with open(file, "rb", closefd=False) as sound:
            sound.seek(0)
            heard = self._hearing.hear(sound, seconds=params["seconds"])
        for spoken in heard.spoken:
            emit(asdict(spoken), b"")
        return {"outcome": heard.outcome, "voice_seconds": heard.voice_seconds}


def open_jobs() -> dict[str, Job]:
    """By their names. Libraries are imported now, not at the first sound."""
    import faster_whisper  # noqa: F401

    return {"hear": HearJob()}
