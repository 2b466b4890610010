"""The jobs of the processes that read: pixels in, words out. They never see a file from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from postscope.indexing.media.ocr import OcrReader, ReaderModels

Emit = Callable[[dict[str, Any], bytes], None]
Job = Callable[[int, dict[str, Any], Emit], dict[str, Any]]


class ReadJobs:
    """Keep the networks from one picture to the next."""

    def __init__(self) -> None:
        self._reader: OcrReader | None = None

    def load(self, _file: int, params: dict[str, Any], _emit: Emit) -> dict[str, Any]:
        """The networks; comes before all else."""
        detector, recogniser = (None if path is None else Path(path) for path in params["models"])
        self._reader = OcrReader(
            ReaderModels(detector, recogniser),
            threads=params["threads"],
            min_confidence=params["min_confidence"],
            max_side=params["max_side"],
        )
        return {}

    def read(self, file: int, params: dict[str, Any], emit: Emit) -> dict[str, Any]:
        """What is written in a picture (RGB, row by row), one message each."""
        assert self._reader is not None
        with open(file, "rb", closefd=False) as pixels:
            pixels.seek(0)
            image = Image.frombytes("RGB", (params["width"], params["height"]), pixels.read())
        for written in self._reader.read([image])[0]:
            emit(asdict(written), b"")
        return {}


def open_jobs() -> dict[str, Job]:
    """By their names."""
    jobs = ReadJobs()
    return {"load": jobs.load, "read": jobs.read}
