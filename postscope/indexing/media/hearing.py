"""Turns samples into texts in a process of its own: a library that computes for minutes must be killable too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

from postscope.indexing import hub
from postscope.indexing.encoders.base import EncoderUnavailable
from postscope.indexing.media.decoding.speech import SpeechGates
from postscope.indexing.media.errors import CorruptMedia, MediaError
from postscope.indexing.media.parts import PartReport, Spoken, Word
from postscope.indexing.media.sandbox.pool import Sandbox
from postscope.indexing.media.speech_weights import HEARING, WHISPER_SIZES

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
        except (KeyError, TypeError, ValueError):  # the other process may say anything
            return [], PartReport("speech", "failed", CorruptMedia.code, "what was heard in it makes no sense")
        return spoken, _report(items[-1].get("outcome"), found=bool(spoken))

    def close(self) -> None:
        """End the processes."""
        self.sandbox.close()


def model_folder(model: str, cache_dir: Path) -> Path:
    """Where a model is: ``bundled``, a folder, or the name of one that was fetched (see ``repo_of``).

    Raises:
        EncoderUnavailable: it is not here; the message says how to get it.
        WeightsChanged: a file is not the pinned one, or not the one that was fetched.
    """
    if model == "bundled":
        weights, *_ = [file.locate() for file in HEARING]
        return weights.parent
    if is_folder(model):
        whisper_files([file.name for file in Path(model).iterdir()], model)
        return Path(model)
    here = hub.fetched(repo_of(model), cache_dir)
    if here is None:
        raise EncoderUnavailable(f"there is no speech model {model!r} here: `postscope models --download` fetches it")
    return here.check()


def is_folder(model: str) -> bool:
    """Whether a setting names a folder of this machine. A size such as ``small`` never does, whatever lies about."""
    return model not in WHISPER_SIZES and Path(model).is_dir()


def repo_of(model: str) -> str:
    """Where the hub keeps a model: a size such as ``small``, or ``owner/name`` of one for CTranslate2.

    Raises:
        EncoderUnavailable: it is neither.
    """
    if model in WHISPER_SIZES:
        return WHISPER_SIZES[model]
    if model.count("/") == 1 and not model.startswith((".", "/")):
        return model
    sizes = ", ".join(WHISPER_SIZES)
    raise EncoderUnavailable(f"there is no speech model {model!r}: it is no folder, no owner/name, and none of {sizes}")


def fetch_model(model: str, cache_dir: Path, *, tell: hub.Tell | None = None) -> hub.HubModel:
    """Get a model from the hub (see ``repo_of``).

    Raises:
        EncoderUnavailable: there is none of this name, or no way to it, or it is no model of Whisper for CTranslate2.
    """
    return hub.fetch(repo_of(model), cache_dir, lambda names: whisper_files(names, model), tell=tell)


def whisper_files(names: Sequence[str], model: str) -> list[str]:
    """Those files among ``names`` that make a model of Whisper for CTranslate2.

    Raises:
        EncoderUnavailable: one is wanting: without it the library would go to the hub for another.
    """
    vocabulary = hub.first_of(names, "vocabulary.json", "vocabulary.txt")
    wanting = [name for name in ("model.bin", "config.json", "tokenizer.json") if name not in names]
    if vocabulary is None or wanting:
        lacks = ", ".join([*wanting, *([] if vocabulary else ["a vocabulary"])])
        raise EncoderUnavailable(f"{model} is no model of Whisper for CTranslate2: it has no {lacks}")
    more = [name for name in ("preprocessor_config.json",) if name in names]
    return ["model.bin", "config.json", "tokenizer.json", vocabulary, *more]


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
        Word(_number(word["start"]), _number(word["end"]), str(word["text"]), _number(word["confidence"]))
        for word in item["words"]
    )
    return Spoken(
        start=_number(item["start"]),
        end=_number(item["end"]),
        text=str(item["text"]),
        words=words,
        language=None if item["language"] is None else str(item["language"])[:8],
        confidence=_number(item["confidence"]),
    )


def _number(value: object) -> float:
    number = float(cast(float, value))
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{number} is no time and no confidence")
    return number
