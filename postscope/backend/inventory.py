"""Every model in use: what it is for, where it comes from, under which licence, and whether it is what it should be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from postscope.backend.settings import Settings
from postscope.indexing.build import open_encoder
from postscope.indexing.encoders import weights
from postscope.indexing.encoders.base import EncoderUnavailable, WeightsChanged
from postscope.indexing.encoders.weights import WeightsFile
from postscope.indexing.media.hearing import download_model, downloaded_folder
from postscope.indexing.media.speech_weights import HEARING, SILERO_VAD

FileState = Literal["ok", "unpinned", "changed", "missing"]
_UNKNOWN_LICENCE = "as its maker says"
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".onnx")
_IMAGES = (
    weights.EFFICIENTNET_LITE0,
    weights.EFFICIENTNET_LITE2,
    weights.IMAGENET_NAMES,
    weights.IMAGENET_SYNONYMS,
    weights.IMAGENET_DESCRIPTIONS,
)


class ModelFile(BaseModel):
    """One file of a model in use.

    ``state``: ``ok`` (its SHA-256 is the pinned one), ``unpinned`` (it is here, and was chosen by a setting: nothing
    is known that it should be), ``changed`` (its SHA-256 is another: it is not used) or ``missing``.
    """

    model_config = ConfigDict(frozen=True)

    purpose: str = Field(description="what it is for", examples=["words in pictures"])
    file: str = Field(examples=["rapidocr/models/PP-OCRv6_det_small.onnx"])
    version: str | None = Field(description="of the package or of the model", examples=["rapidocr 3.10.0"])
    licence: str = Field(description="SPDX, of the file itself", examples=["Apache-2.0"])
    source: str = Field(examples=["PaddlePaddle PP-OCRv6, where text is; ONNX by RapidAI"])
    size: int | None = Field(description="bytes; null where it is missing", examples=[9929594])
    sha256: str | None = Field(description="of the file that is here; of a missing one, the pinned one")
    state: FileState = Field(examples=["ok"])
    reason: str | None = Field(None, description="what is wrong, and what helps")


def models_in_use(settings: Settings) -> list[ModelFile]:
    """The models that these settings name, each file read and hashed: a second for what is bundled."""
    return [
        *_encoder(settings),
        *_speech(settings),
        *_reading(settings),
        _pinned("language of a text", weights.LANGUAGES),
    ]


def download_models(settings: Settings) -> list[str]:
    """Fetch what the settings name and is not here; nothing where all of it comes with the package.

    Returns:
        What was fetched or found whole, one line each.

    Raises:
        EncoderUnavailable: a model cannot be had; the message says why.
    """
    done: list[str] = []
    encoder = settings.encoder
    if encoder.name.startswith("open_clip:"):
        open_encoder(
            encoder.name,
            text_model=encoder.text_model,
            cache_dir=settings.model_cache,
            device=encoder.device,
            threads=encoder.threads or 1,
        )
        done.append(f"{encoder.name} is here")
    model = settings.speech.model
    if model not in ("bundled", "off") and not Path(model).is_dir():
        done.append(f"speech model {model} is in {download_model(model, settings.model_cache)}")
    return done


def _encoder(settings: Settings) -> Iterator[ModelFile]:
    encoder = settings.encoder
    if encoder.name == "bundled":
        yield _pinned("meaning of texts", weights.E5_SMALL)
    elif encoder.name == "bundled-en":
        yield from (_pinned("meaning of texts", file) for file in (weights.MINILM, weights.MINILM_TOKENIZER))
    else:
        yield from _cached(encoder.name, settings.model_cache)
        return
    yield from (_pinned("meaning of images", file) for file in _IMAGES)


def _cached(name: str, cache: Path) -> Iterator[ModelFile]:
    """Files of an open_clip model: of the setting's path, or what the hub's client keeps in the cache."""
    purpose, path = "meaning of texts and images", Path(name.partition("/")[2].removeprefix("local-dir:"))
    given = [path] if path.is_file() else sorted(path.iterdir()) if path.is_dir() else []
    files = given or [
        found for folder in sorted(cache.glob("models--*/snapshots/*")) for found in sorted(folder.iterdir())
    ]
    files = [file for file in files if file.suffix in _WEIGHTS]
    yield from (_unpinned(purpose, file, name) for file in files)
    if not files:
        yield _missing(purpose, name, "it is not here: `postscope models --download` fetches it")


def _speech(settings: Settings) -> Iterator[ModelFile]:
    model, purpose = settings.speech.model, "speech"
    if model == "off":
        return
    if model == "bundled":
        yield from (_pinned(purpose, file) for file in HEARING)
        return
    yield _pinned("speech or not", SILERO_VAD)
    folder = Path(model) if Path(model).is_dir() else downloaded_folder(model, settings.model_cache)
    files = sorted(file for file in folder.glob("*") if file.is_file())
    yield from (_unpinned(purpose, file, model) for file in files)
    if not files:
        yield _missing(purpose, model, "it is not here: `postscope models --download` fetches it")


def _reading(settings: Settings) -> Iterator[ModelFile]:
    reading, purpose = settings.reading, "words in pictures"
    for chosen, bundled in ((reading.detector, weights.OCR_DETECTOR), (reading.recogniser, weights.OCR_RECOGNISER)):
        if chosen is None:
            yield _pinned(purpose, bundled)
        elif chosen.is_file():
            yield _unpinned(purpose, chosen, str(chosen))
        else:
            yield _missing(purpose, str(chosen), "there is no such file")


def _pinned(purpose: str, file: WeightsFile) -> ModelFile:
    size, actual, state, reason = None, file.sha256, "ok", None
    try:
        located = file.locate()
        size = located.stat().st_size
    except WeightsChanged as error:
        located = Path(str(metadata.distribution(file.distribution).locate_file(file.path)))
        size, actual, state, reason = located.stat().st_size, _hash(located), "changed", str(error)
    except EncoderUnavailable as error:
        state, reason = "missing", str(error)
    return ModelFile.model_validate(
        {
            "purpose": purpose, "file": file.path, "version": f"{file.distribution} {file.version}",
            "licence": file.licence, "source": file.source, "size": size, "sha256": actual, "state": state,
            "reason": reason,
        }
    )  # fmt: skip


def _unpinned(purpose: str, file: Path, name: str) -> ModelFile:
    return ModelFile(
        purpose=purpose,
        file=str(file),
        version=None,
        licence=_UNKNOWN_LICENCE,
        source=name,
        size=file.stat().st_size,
        sha256=_hash(file),
        state="unpinned",
    )


def _missing(purpose: str, name: str, reason: str) -> ModelFile:
    return ModelFile(
        purpose=purpose,
        file=name,
        version=None,
        licence=_UNKNOWN_LICENCE,
        source=name,
        size=None,
        sha256=None,
        state="missing",
        reason=reason,
    )


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
