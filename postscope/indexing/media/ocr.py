"""Words in pictures, read by PP-OCR (Du et al. 2020, "PP-OCR: A Practical Ultra Lightweight OCR System"), offline.

Only the sure readings are kept: the library's own threshold takes leaves, gravel and brickwork for letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from postscope.indexing.encoders.base import EncoderUnavailable
from postscope.indexing.encoders.onnx_session import open_session
from postscope.indexing.encoders.weights import OCR_DETECTOR, OCR_RECOGNISER
from postscope.indexing.media.parts import Box, Written
from postscope.indexing.media.reading_order import reading_order

MIN_SIDE: Final = 16
"""Pixels; a picture with a shorter side holds no word that can be read."""
MAX_RATIO: Final = 50
"""A picture that is so much longer than wide is a line or a border; the library would blow it up to read it."""
UNCLIP_RATIO: Final = 2.0
"""How far a box reaches beyond the letters that were found. The library's 1.6 cuts outlined capitals."""


@dataclass(frozen=True, slots=True)
class ReaderModels:
    """Where the two networks are; None takes those that come with rapidocr.

    Both are PP-OCR models in ONNX; the recogniser carries its alphabet in its metadata, as RapidAI's exports do.
    """

    detector: Path | None = None
    recogniser: Path | None = None


def check_models(models: ReaderModels) -> None:
    """See to it that there is something to read with, without loading it.

    Raises:
        EncoderUnavailable: rapidocr or a network is not here.
        WeightsChanged: a network of the wheel is not the pinned one.
    """
    if find_spec("rapidocr") is None:
        raise EncoderUnavailable("text in pictures cannot be read: pip install rapidocr")
    for chosen, bundled in ((models.detector, OCR_DETECTOR), (models.recogniser, OCR_RECOGNISER)):
        if not (chosen or bundled.locate()).is_file():
            raise EncoderUnavailable(f"there is no model {chosen}")


class OcrReader:
    """Implements ``PictureReader``. Safe to use from several threads.

    Args:
        models: the networks.
        threads: of one run of a network, at least 1.
        min_confidence: mean probability of a line's letters, from which it is kept.
        max_side: pixels; the picture is made so small before text is looked for. Lines are read at full size.

    Raises:
        EncoderUnavailable: rapidocr or a network cannot be loaded.
        WeightsChanged: a network of the wheel is not the pinned one.
    """

    def __init__(
        self,
        models: ReaderModels = ReaderModels(),
        *,
        threads: int = 1,
        min_confidence: float = 0.9,
        max_side: int = 640,
    ) -> None:
        # Sessions first: they see to it that ONNX Runtime is loaded with its telemetry off.
        detector = open_session(models.detector or OCR_DETECTOR.locate(), threads=threads)
        recogniser = open_session(models.recogniser or OCR_RECOGNISER.locate(), threads=threads)
        try:
            from rapidocr import RapidOCR
        except ImportError as error:
            raise EncoderUnavailable(f"text in pictures cannot be read: {error}; pip install rapidocr") from error
        engine = RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.text_score": min_confidence,
                "Global.use_cls": False,
                "Det.limit_type": "max",
                "Det.limit_side_len": max_side,
                "Det.unclip_ratio": UNCLIP_RATIO,
            }
        )
        # Given a session the library neither looks for a model nor downloads one.
        for part, session in ((engine.cfg.Det, detector), (engine.cfg.Rec, recogniser)):
            part._set_flag("allow_objects", True)
            part.session = session
        self._engine: Any = engine

    def read(self, images: Sequence[Image.Image]) -> list[list[Written]]:
        """What is written in each picture: one text of all its lines in reading order, or nothing."""
        return [self._read(image) for image in images]

    def _read(self, image: Image.Image) -> list[Written]:
        width, height = image.size
        short, long = sorted(image.size)
        if short < MIN_SIDE or long > MAX_RATIO * short:
            return []
        # The library thinks in the channel order of OpenCV.
        pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        found = self._engine(pixels)
        if not found.txts:
            return []
        corners = np.asarray(found.boxes, dtype=np.float64)
        lines = [" ".join(text.split()) for text in found.txts]
        rows = reading_order(corners)
        order = [place for row in rows for place in row if lines[place]]
        if not order:
            return []
        weights = np.array([len(lines[place]) for place in order], dtype=np.float64)
        scores = np.array([found.scores[place] for place in order], dtype=np.float64)
        return [
            Written(
                text="\n".join(lines[place] for place in order),
                boxes=tuple(_fractions(corners[place], width, height) for place in order),
                start=None,
                end=None,
                confidence=float(np.average(scores, weights=weights)),
            )
        ]


def _fractions(corners: npt.NDArray[np.float64], width: int, height: int) -> Box:
    within = np.clip(corners / (width, height), 0.0, 1.0).round(4).tolist()
    first, second, third, fourth = ((float(x), float(y)) for x, y in within)
    return first, second, third, fourth
