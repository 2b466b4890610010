"""Settings values to implementations: the only place that chooses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from postscope.indexing.encoders.base import Encoder, EncoderUnavailable
from postscope.indexing.media.parts import PictureReader
from postscope.indexing.stores.base import VectorStore

if TYPE_CHECKING:
    from postscope.indexing.media.decoding.speech import SpeechGates
    from postscope.indexing.media.hearing import Hearing


def open_encoder(name: str, *, text_model: str | None, cache_dir: Path, device: str, threads: int) -> Encoder:
    """Open the encoder of this name: ``bundled``, ``bundled-en`` or ``open_clip:<model>/<pretrained>``.

    Raises:
        EncoderUnavailable: its weights or libraries are not here, or the name is none of these.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    match name.partition(":")[0]:
        case "bundled" | "bundled-en" as bundled:
            from postscope.indexing.encoders.bundled import open_bundled

            return open_bundled(bundled, cache_dir, threads)
        case "open_clip":
            from postscope.indexing.encoders.openclip import open_openclip

            return open_openclip(name, text_model=text_model, cache_dir=cache_dir, device=device, threads=threads)
        case _:
            raise EncoderUnavailable(f"there is no encoder named {name!r}")


def open_store(
    url: str | None, *, folder: Path, api_key: str | None, shards: int, replicas: int, timeout: float
) -> VectorStore:
    """A Qdrant server or cluster where there is a URL, otherwise the engine in this process, kept in ``folder``."""
    if url is None:
        from postscope.indexing.stores.edge import EdgeStore

        return EdgeStore(folder)
    from postscope.indexing.stores.qdrant import QdrantStore

    return QdrantStore(
        url, api_key=api_key, shards=shards, replicas=replicas, write_consistency=replicas, timeout=timeout
    )


def open_reader(
    detector: Path | None,
    recogniser: Path | None,
    *,
    threads: int,
    min_confidence: float,
    max_side: int,
    seconds: float,
    processes: int,
) -> PictureReader:
    """The reader of words in pictures, in processes of its own; None takes the networks that come with rapidocr.

    Raises:
        EncoderUnavailable: rapidocr or a network is not here.
        WeightsChanged: a network of the wheel is not the pinned one.
    """
    from postscope.indexing.media.ocr import ReaderModels, check_models
    from postscope.indexing.media.reading import open_reading

    models = ReaderModels(detector, recogniser)
    check_models(models)
    return open_reading(
        models,
        threads=threads,
        min_confidence=min_confidence,
        max_side=max_side,
        seconds=seconds,
        processes=processes,
    )


def open_hearing(model: str, *, cache_dir: Path, threads: int, gates: SpeechGates, processes: int) -> Hearing | None:
    """The speech recognition of this name: ``bundled``, a folder, or a model that was downloaded; None for ``off``.

    Raises:
        EncoderUnavailable: the model is not here.
        WeightsChanged: a file of the bundled one is not the pinned one.
    """
    from postscope.indexing.media.hearing import Hearing, memory_for, model_folder
    from postscope.indexing.media.sandbox.pool import Sandbox

    if model == "off":
        return None
    folder = model_folder(model, cache_dir)
    sandbox = Sandbox("speech", size=processes, memory_bytes=memory_for(folder), threads=threads)
    return Hearing(sandbox, folder, threads, gates)
