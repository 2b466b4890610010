"""Every model in use: what it is for, where it comes from, under which licence, and whether it is what it should be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from postscope.backend.sentiment import TRANSFORMERS
from postscope.backend.setting_groups import EncoderSettings
from postscope.backend.settings import Settings
from postscope.indexing import hub
from postscope.indexing.encoders import openclip_loading, openclip_text, weights
from postscope.indexing.encoders.base import EncoderUnavailable, WeightsChanged
from postscope.indexing.encoders.weights import WeightsFile
from postscope.indexing.hub import Tell
from postscope.indexing.media import hearing
from postscope.indexing.media.speech_weights import HEARING, SILERO_VAD
from postscope.indexing.sentiment.others import model_repo

FileState = Literal["ok", "unpinned", "changed", "missing"]
_UNKNOWN_LICENCE = "as its maker says"
_IMAGES = (
    weights.EFFICIENTNET_LITE0,
    weights.EFFICIENTNET_LITE2,
    weights.IMAGENET_NAMES,
    weights.IMAGENET_SYNONYMS,
    weights.IMAGENET_DESCRIPTIONS,
)


class ModelFile(BaseModel):
    """One file of a model in use.

    ``state``: ``ok`` (its SHA-256 is the pinned one, or of a file from the hub the one that it was fetched with),
    ``unpinned`` (it is here, and was chosen by a setting: nothing is known that it should be), ``changed`` (its SHA-256
    is another: it is not used) or ``missing``.
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
        *_sentiment(settings),
        *([_pinned("opinion on pictures", weights.OPEN_NSFW)] if settings.banks.sexual_classifier else []),
    ]


def download_models(settings: Settings, *, tell: Tell) -> None:
    """Fetch what the settings name and is not here, or is not what was fetched; nothing where all of it comes with
    the package.

    Args:
        tell: hears of each file, and of what is here already.

    Raises:
        EncoderUnavailable: a model cannot be had; the message says why.
    """
    cache, encoder, speech = settings.model_cache, settings.encoder, settings.speech.model
    if encoder.name.startswith(openclip_loading.PREFIX):
        spec = openclip_loading.parse_spec(encoder.name)
        _have(openclip_loading.hub_repo(spec), lambda: openclip_loading.fetch_clip(spec, cache, tell=tell), cache, tell)
        if (text := encoder.text_model) is not None:
            repo = openclip_text.text_repo(text)
            _have(repo, lambda: openclip_text.fetch_text_model(text, cache, tell=tell), cache, tell)
    if speech not in ("bundled", "off") and not hearing.is_folder(speech):
        _have(hearing.repo_of(speech), lambda: hearing.fetch_model(speech, cache, tell=tell), cache, tell)
    repo = _scorer_repo(settings)
    _have(repo, lambda: hub.fetch(repo or "", cache, hub.library_files, tell=tell), cache, tell)


def _have(repo: str | None, fetch: Callable[[], object], cache: Path, tell: Tell) -> None:
    if repo is None:
        return
    here = hub.fetched(repo, cache)
    if here is None or any(here.fault(name) for name in here.files):
        fetch()
    else:
        tell(f"{repo} at {here.commit[:12]} is here already")


def _encoder(settings: Settings) -> Iterator[ModelFile]:
    encoder = settings.encoder
    if encoder.name == "bundled":
        yield _pinned("meaning of texts", weights.E5_SMALL)
    elif encoder.name == "bundled-en":
        yield from (_pinned("meaning of texts", file) for file in (weights.MINILM, weights.MINILM_TOKENIZER))
    else:
        yield from _open_clip(encoder, settings.model_cache)
        return
    yield from (_pinned("meaning of images", file) for file in _IMAGES)


def _open_clip(encoder: EncoderSettings, cache: Path) -> Iterator[ModelFile]:
    """Files of an open_clip model: of the setting's path, or those that were fetched."""
    purpose = "meaning of texts and images"
    try:
        spec = openclip_loading.parse_spec(encoder.name)
        repo = openclip_loading.hub_repo(spec)
    except EncoderUnavailable as error:
        yield _missing(purpose, encoder.name, str(error))
        return
    if repo is not None:
        yield from _from_hub(purpose, repo, cache)
    else:
        path = Path((spec.pretrained or spec.model).removeprefix(openclip_loading.LOCAL_DIR))
        yield from _of_folder(purpose, path, encoder.name, openclip_loading.WEIGHTS_SUFFIXES)
    if (text := encoder.text_model) is not None:
        purpose = "meaning of texts, aligned to that of the images"
        if (repo := openclip_text.text_repo(text)) is not None:
            yield from _from_hub(purpose, repo, cache)
        else:
            yield from _of_folder(purpose, Path(text), text, openclip_loading.WEIGHTS_SUFFIXES)


def _speech(settings: Settings) -> Iterator[ModelFile]:
    model, purpose = settings.speech.model, "speech"
    if model == "off":
        return
    if model == "bundled":
        yield from (_pinned(purpose, file) for file in HEARING)
        return
    yield _pinned("speech or not", SILERO_VAD)
    try:
        if hearing.is_folder(model):
            hearing.model_folder(model, settings.model_cache)
            yield from _of_folder(purpose, Path(model), model, (".bin", ".json", ".txt"))
        else:
            yield from _from_hub(purpose, hearing.repo_of(model), settings.model_cache)
    except EncoderUnavailable as error:
        yield _missing(purpose, model, str(error))


def _of_folder(purpose: str, path: Path, name: str, suffixes: tuple[str, ...]) -> Iterator[ModelFile]:
    files = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
    files = [file for file in files if file.is_file() and file.suffix in suffixes]
    yield from (_unpinned(purpose, file, name) for file in files)
    if not files:
        yield _missing(purpose, name, f"there is nothing of it at {path}")


def _from_hub(purpose: str, repo: str, cache: Path) -> Iterator[ModelFile]:
    """The files of a model that were fetched, each against what it was then."""
    model = hub.fetched(repo, cache)
    if model is None:
        yield _missing(purpose, repo, "it is not here, or not wholly: `postscope models --download` fetches it")
        return
    for name, sha256 in sorted(model.files.items()):
        fault, file = model.fault(name), model.path(name)
        yield ModelFile(
            purpose=purpose,
            file=str(file),
            version=f"{repo} at {model.commit[:12]}",
            licence=model.licence,
            source=f"https://huggingface.co/{repo}",
            size=file.stat().st_size,
            sha256=sha256 if fault is None else _hash(file),
            state="ok" if fault is None else "changed",
            reason=fault,
        )


def _reading(settings: Settings) -> Iterator[ModelFile]:
    reading, purpose = settings.reading, "words in pictures"
    for chosen, bundled in ((reading.detector, weights.OCR_DETECTOR), (reading.recogniser, weights.OCR_RECOGNISER)):
        if chosen is None:
            yield _pinned(purpose, bundled)
        elif chosen.is_file():
            yield _unpinned(purpose, chosen, str(chosen))
        else:
            yield _missing(purpose, str(chosen), "there is no such file")


def _scorer_repo(settings: Settings) -> str | None:
    scorer = settings.sentiment.scorer
    return model_repo(scorer.removeprefix(TRANSFORMERS)) if scorer.startswith(TRANSFORMERS) else None


def _sentiment(settings: Settings) -> Iterator[ModelFile]:
    purpose, scorer = "sentiment", settings.sentiment.scorer
    if (repo := _scorer_repo(settings)) is not None:
        yield from _from_hub(purpose, repo, settings.model_cache)
    elif scorer.startswith(TRANSFORMERS):
        folder = scorer.removeprefix(TRANSFORMERS)
        yield from _of_folder(purpose, Path(folder), folder, openclip_loading.WEIGHTS_SUFFIXES)


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
