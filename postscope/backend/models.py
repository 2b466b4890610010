"""The models in use: an encoder with its calibration and pipeline, opened once and kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from postscope.backend.setting_groups import WEIGHTS, EncoderSettings
from postscope.indexing.build import open_encoder
from postscope.indexing.calibration import CalibrationError, SpaceCalibration
from postscope.indexing.calibration_fit import calibrate
from postscope.indexing.encoders.base import Encoder
from postscope.indexing.fusion import FusionWeights
from postscope.indexing.gate import PriorityGate
from postscope.indexing.keywords import KeywordEncoder
from postscope.indexing.media.stills import Stills
from postscope.indexing.pipeline import Pipeline
from postscope.indexing.text_parts import TextWeights
from postscope.sample.reference import load_reference

OpenEncoder = Callable[[EncoderSettings], Encoder]


@dataclass(frozen=True, slots=True)
class SpaceModel:
    """All that turns content into vectors of one space."""

    encoder: Encoder
    calibration: SpaceCalibration
    pipeline: Pipeline

    @property
    def collection(self) -> str:
        """The collection that keeps this space's vectors."""
        return f"posts-{self.encoder.space.id}"


class Models:
    """Opens a model on first use. Safe to use from several threads; opening takes seconds and happens once."""

    def __init__(
        self,
        cache_dir: Path,
        keywords: KeywordEncoder,
        gate: PriorityGate,
        *,
        stills: Stills,
        open_with: OpenEncoder | None = None,
    ) -> None:
        self._cache_dir = cache_dir
        self._keywords = keywords
        self._gate = gate
        self._stills = stills
        self._open_with = open_with or self._open_encoder
        self._lock = threading.Lock()
        self._open: dict[EncoderSettings, SpaceModel] = {}
        self._encoders: dict[EncoderSettings, Encoder] = {}

    def get(self, settings: EncoderSettings) -> SpaceModel:
        """The model of these settings.

        Raises:
            EncoderError: it cannot be opened; the message says what to install or mend.
        """
        with self._lock:
            if settings not in self._open:
                self._open[settings] = self._build(settings)
            return self._open[settings]

    def close(self) -> None:
        """Stop the threads of every pipeline."""
        with self._lock:
            for model in self._open.values():
                model.pipeline.close()
            self._open.clear()
            self._encoders.clear()

    def _build(self, settings: EncoderSettings) -> SpaceModel:
        # With other weights it is the same model, which is not loaded twice.
        unweighed = settings.model_copy(update=dict.fromkeys(WEIGHTS, 1.0))
        if unweighed not in self._encoders:
            self._encoders[unweighed] = self._open_with(settings)
        encoder = self._encoders[unweighed]
        calibration = self._calibration(encoder)
        pipeline = Pipeline(
            encoder,
            calibration,
            self._keywords,
            weights=FusionWeights(
                settings.text_weight,
                settings.media_weight,
                TextWeights(1.0, settings.spoken_weight, settings.written_weight),
            ),
            stills=self._stills,
            gate=self._gate,
            decoders=cores(),
        )
        return SpaceModel(encoder, calibration, pipeline)

    def _open_encoder(self, settings: EncoderSettings) -> Encoder:
        return open_encoder(
            settings.name,
            text_model=settings.text_model,
            cache_dir=self._cache_dir,
            device=settings.device,
            threads=settings.threads or cores(),
        )

    def _calibration(self, encoder: Encoder) -> SpaceCalibration:
        # Fitting encodes the whole sample, which takes seconds: done once a space.
        path = self._cache_dir / f"calibration-{encoder.space.id}.npz"
        try:
            return SpaceCalibration.load(path)
        except CalibrationError:
            calibration = calibrate(encoder, load_reference())
            path.parent.mkdir(parents=True, exist_ok=True)
            calibration.save(path)
            return calibration


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))
