"""How well relevance 0.5 divides the sample: ``python -m tests.benchmarks.bench_calibration [bundled-en]``.

Fitted on every second query and measured on the others, then the other way round.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from postscope.indexing.calibration import Part, SpaceCalibration
from postscope.indexing.calibration_fit import Reference, calibrate
from postscope.indexing.encoders.base import Encoder
from postscope.indexing.encoders.bundled import open_bundled
from postscope.indexing.types import Vectors
from postscope.sample.reference import load_reference

MIN_SCORE = 0.5


def measure(
    encoder: Encoder,
    calibration: SpaceCalibration,
    part: Part,
    queries: Sequence[tuple[str, str | None]],
    parts: Vectors,
    labels: Sequence[str | None],
) -> dict[str, float]:
    """Shares over the queries: those without an answer that get nothing, those with one that get it."""
    vectors = calibration.centre_queries(encoder.encode_queries([text for text, _ in queries]))
    silent, answered, right, shown = [], [], 0, 0
    for vector, (_, wanted) in zip(vectors, queries, strict=True):
        hits = calibration.scorer(vector, "text").relevance(part, parts @ vector) >= MIN_SCORE
        if wanted is None:
            silent.append(not hits.any())
            continue
        correct = hits & np.array([label == wanted for label in labels])
        answered.append(correct.any())
        right, shown = right + int(correct.sum()), shown + int(hits.sum())
    return {
        "silent_without_answer": float(np.mean(silent)),
        "answered": float(np.mean(answered)),
        "precision": right / max(1, shown),
    }


def held_out(encoder: Encoder, reference: Reference, half: int) -> dict[str, dict[str, float]]:
    """Fit on one half of the queries, measure on the other."""
    other = 1 - half
    fitted_on = replace(reference, queries=reference.queries[half::2], image_queries=reference.image_queries[half::2])
    calibration = calibrate(encoder, fitted_on)
    texts = calibration.centre_texts(encoder.encode_texts(reference.texts))
    images = calibration.centre_images(encoder.encode_images(reference.images))
    queries, image_queries = reference.queries[other::2], reference.image_queries[other::2]
    return {
        "text": measure(encoder, calibration, "text", queries, texts, reference.text_topics),
        "media": measure(encoder, calibration, "media", image_queries, images, reference.image_subjects),
    }


def main() -> None:
    """Print one JSON object a half."""
    name = "bundled-en" if "bundled-en" in sys.argv[1:] else "bundled"
    with tempfile.TemporaryDirectory() as folder:
        encoder = open_bundled(name, Path(folder), threads=2)
        reference = load_reference()
        for half in (0, 1):
            found = held_out(encoder, reference, half)
            print(json.dumps({part: {k: round(v, 2) for k, v in row.items()} for part, row in found.items()}))


if __name__ == "__main__":
    main()
