"""Turns samples into texts in a process of its own: a library that computes for minutes must be killable too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

from postscope.indexing.encoders.base import EncoderUnavailable
from postscope.indexing.media.decoding.speech import SpeechGates
from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.parts import PartReport, Spoken, Word
from postscope.indexing.media.sandbox.pool import Sandbox
from postscope.indexing.media.speech_weights import HEARING

LOAD_SECONDS: Final = 30.0
"""For the model, where the process is new."""

_NO_MODEL: Final = (
    "somebody speaks, and there is no model for this language here, or it is not clear enough to be understood"
)


@dataclass(frozen=True, slots=True)
class Hearing:
    """Hears with one model.

    Attributes:
        sandbox: processes of the kind ``speech``.
        folder: of the model.
        threads: that compute.
        gates: what makes a text believable.
    """

    sandbox: Sandbox
    folder: Path
    threads: int
    gates: SpeechGates

    def hear(self, sound: int, *, seconds: float) -> tuple[list[Spoken], PartReport]:
        """What is said in these samples, as ``decode_sound`` gives them.

        Args:
            sound: an open file.
            seconds: for all of it.
        """
        params = {
            "folder": str(self.folder),
            "threads": self.threads,
            "gates": asdict(self.gates),
            "seconds": seconds,
        }
        try:
            items = [item for item, _ in self.sandbox.run("hear", sound, params, seconds=seconds * 1.5 + LOAD_SECONDS)]
            spoken = [_spoken(item) for item in items[:-1]]
        except MediaError as error:
            return [], PartReport("speech", "failed", error.code, error.reason)
        return spoken, _report(items[-1].get("outcome"), found=bool(spoken))

    def close(self) -> None:
        """End the processes."""
        self.sandbox.close()


def model_folder(model: str, cache_dir: Path) -> Path:
    """Where a model is: ``bundled``, a folder, or the name of one that was downloaded.

    Raises:
        EncoderUnavailable: it is not here; the message says how to get it.
        WeightsChanged: a file of the bundled one is not the pinned one.
    """
    if model == "bundled":
        weights, *_ = [file.locate() for file in HEARING]
        return weights.parent
    for folder in (Path(model), downloaded_folder(model, cache_dir)):
        if (folder / "model.bin").is_file():
            return folder
    raise EncoderUnavailable(f"there is no speech model {model!r} here: download it ahead with `postscope models`")


def downloaded_folder(name: str, cache_dir: Path) -> Path:
    """Where a model of this name is kept once it was downloaded."""
    return cache_dir / "whisper" / name.replace("/", "--")


def download_model(name: str, cache_dir: Path) -> Path:
    """Get a model from the Hugging Face Hub: a size such as ``small``, or ``owner/name`` of a CTranslate2 model.

    Returns:
        Its folder, which is complete.

    Raises:
        EncoderUnavailable: there is none of this name, or no way to it.
    """
    from faster_whisper import download_model as download

    folder = downloaded_folder(name, cache_dir)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        download(name, output_dir=str(folder))
    except Exception as error:  # the hub's client lets many kinds through
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EncoderUnavailable(f"the speech model {name!r} cannot be downloaded: {reason}") from error
    return folder


def memory_for(folder: Path) -> int:
    """Bytes of address space that a process needs with this model."""
    return 1_536 * 1024**2 + 4 * sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def _report(outcome: object, *, found: bool) -> PartReport:
    match outcome:
        case "no_model":
            return PartReport("speech", "failed", "no_model_for_language", _NO_MODEL)
        case "too_slow":
            state = "partial" if found else "failed"
            return PartReport("speech", cast(Any, state), "too_slow", "the time for it was over before its end")
        case "speech" if found:
            return PartReport("speech", "done")
        case _:
            return PartReport("speech", "empty", "no_speech", "nobody speaks in it")


def _spoken(item: Mapping[str, Any]) -> Spoken:
    words = tuple(
        Word(float(word["start"]), float(word["end"]), str(word["text"]), float(word["confidence"]))
        for word in item["words"]
    )
    return Spoken(
        start=float(item["start"]),
        end=float(item["end"]),
        text=str(item["text"]),
        words=words,
        language=item["language"],
        confidence=float(item["confidence"]),
    )
