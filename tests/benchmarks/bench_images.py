"""Images: speed of the bundled encoders against the bare models, and how well a class name finds its photo.

Run as ``python -m tests.benchmarks.bench_images [folder]``; the folder holds photos and ``labels.jsonl`` with
the fields ``file`` and ``label``. Without one, images are made, and recall is not measured.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from postscope.indexing.encoders import weights
from postscope.indexing.encoders.bundled import BundledEncoder, BundledName, open_bundled
from postscope.indexing.encoders.classifier import centre_square
from postscope.indexing.encoders.efficientnet import LITE0, LITE2, cached_graph
from postscope.indexing.encoders.onnx_session import open_session

THREADS = 2
ROUNDS = 3
KEPT = 150
"""Images that speed is measured on."""


@dataclass(frozen=True)
class Recall:
    """Share of labels whose photo is among the first 1, 5 and 10."""

    at_1: float
    at_5: float
    at_10: float


def load_photos(folder: Path) -> tuple[list[Image.Image], list[str]]:
    """Photos in RGB and their labels."""
    rows = [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]
    images = [Image.open(folder / row["file"]).convert("RGB") for row in rows]
    return images, [row["label"] for row in rows]


def made_images(n: int) -> list[Image.Image]:
    """Noise of the size of photos."""
    random = np.random.default_rng(3)
    return [Image.fromarray(random.integers(0, 256, (288, 384, 3), np.uint8)) for _ in range(n)]


def recall(encoder: BundledEncoder, images: Sequence[Image.Image], labels: Sequence[str]) -> Recall:
    """Each label as a query; the photo of the same place is the only right answer."""
    scores = encoder.encode_queries(labels) @ encoder.encode_images(images).T
    ranks = (scores > np.diagonal(scores)[:, None]).sum(axis=1)
    return Recall(*(float((ranks < k).mean()) for k in (1, 5, 10)))


def bare_seconds(cache_dir: Path, images: Sequence[Image.Image]) -> float:
    """Cut to size, then both models at batch 8, one after the other: what the encoder is measured against."""
    models = [
        (open_session(cached_graph(variant, file.locate(), cache_dir), threads=THREADS), variant.size)
        for variant, file in ((LITE0, weights.EFFICIENTNET_LITE0), (LITE2, weights.EFFICIENTNET_LITE2))
    ]
    start = time.perf_counter()
    for first in range(0, len(images), 8):
        for session, size in models:
            pixels = np.stack([centre_square(image, size) for image in images[first : first + 8]])
            session.run(["probabilities"], {"pixels": pixels})
    return time.perf_counter() - start


def encoder_seconds(encoder: BundledEncoder, images: Sequence[Image.Image]) -> float:
    """One call for all."""
    start = time.perf_counter()
    encoder.encode_images(images)
    return time.perf_counter() - start


def report_speed(encoder: BundledEncoder, cache_dir: Path, images: Sequence[Image.Image]) -> None:
    """Both in turns, so that a busy moment of the machine meets both; the best round of each counts."""
    pairs = [(bare_seconds(cache_dir, images), encoder_seconds(encoder, images)) for _ in range(ROUNDS)]
    bare, encoded = (min(column) for column in zip(*pairs, strict=True))
    print(f"bare models           {len(images) / bare:6.1f} images/s")
    print(f"encode_images         {len(images) / encoded:6.1f} images/s, {bare / encoded:.2f} of bare")
    singles = sorted(encoder_seconds(encoder, images[i : i + 1]) for i in range(20))
    print(f"one image             {1000 * singles[10]:6.1f} ms median")


def main() -> None:
    """Print a table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    images, labels = load_photos(folder) if folder else (made_images(KEPT), [])
    names: tuple[BundledName, ...] = ("bundled", "bundled-en")
    with tempfile.TemporaryDirectory() as cache:
        for name in names:
            start = time.perf_counter()
            encoder = open_bundled(name, Path(cache), THREADS)
            print(f"{name}: opened in {time.perf_counter() - start:.1f} s")
            if labels:
                found = recall(encoder, images, labels)
                print(f"recall                @1 {found.at_1:.3f}  @5 {found.at_5:.3f}  @10 {found.at_10:.3f}")
        report_speed(encoder, Path(cache), images[:KEPT])


if __name__ == "__main__":
    main()
