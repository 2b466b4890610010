"""Reads pictures in processes of their own, which make way for others and can be killed when it takes too long."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from postscope.indexing.media.errors import CorruptMedia
from postscope.indexing.media.ocr import ReaderModels
from postscope.indexing.media.parts import Box, Written
from postscope.indexing.media.sandbox.files import in_memory
from postscope.indexing.media.sandbox.pool import PATIENCE, FirstJob, Sandbox

LOAD_SECONDS: Final = 30.0
"""For the networks, in a process that is new."""
MEMORY: Final = 3 * 1024**3
"""Bytes of address space that a process needs: the libraries alone reserve half of it."""
MAX_JOBS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Reading:
    """Implements ``PictureReader``.

    Attributes:
        sandbox: processes of the kind ``reading``, which load the networks first.
        seconds: of computing, for one picture.
    """

    sandbox: Sandbox
    seconds: float

    def read(self, images: Sequence[Image.Image]) -> list[list[Written]]:
        """What is written in each picture.

        Raises:
            MediaError: ``too_slow`` where one takes more than its time, or that the process did not survive it.
            SandboxDown: no process can be started here, or a network cannot be loaded.
        """
        return [self._read(image) for image in images]

    def close(self) -> None:
        """End the processes; whoever waits for one hears ``SandboxDown``."""
        self.sandbox.close()

    def _read(self, image: Image.Image) -> list[Written]:
        picture = image.convert("RGB")
        size = {"width": picture.width, "height": picture.height}
        with in_memory(picture.tobytes()) as file:
            *items, _ = self.sandbox.run("read", file, size, seconds=self.seconds * PATIENCE, cpu_seconds=self.seconds)
        return [_written(item) for item, _ in items]


def open_reading(
    models: ReaderModels, *, threads: int, min_confidence: float, max_side: int, seconds: float, processes: int
) -> Reading:
    """Nothing is started before it is needed; see ``OcrReader`` for what is not said in ``Reading``.

    Args:
        processes: at most.
    """
    params = {
        "models": [None if path is None else str(path) for path in (models.detector, models.recogniser)],
        "threads": threads,
        "min_confidence": min_confidence,
        "max_side": max_side,
    }
    sandbox = Sandbox(
        "reading",
        size=processes,
        memory_bytes=MEMORY,
        threads=threads,
        max_jobs=MAX_JOBS,
        first=FirstJob("load", params, LOAD_SECONDS),
    )
    return Reading(sandbox, seconds)


def _written(item: Mapping[str, Any]) -> Written:
    """The other process may be in the hands of a picture: it may say anything."""
    text, boxes, confidence = item.get("text"), item.get("boxes"), item.get("confidence")
    if not isinstance(text, str) or not isinstance(boxes, list) or len(boxes) != text.count("\n") + 1:
        raise CorruptMedia("what was read in it makes no sense")
    return Written(text, tuple(_box(box) for box in boxes), None, None, _number(confidence))


def _box(box: object) -> Box:
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(at, list) and len(at) == 2 for at in box):
        raise CorruptMedia("what was read in it has no sensible place")
    first, second, third, fourth = ((_number(x), _number(y)) for x, y in box)
    return first, second, third, fourth


def _number(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise CorruptMedia("what was read in it has no sensible place or confidence")
    return float(value)
