"""A million stored vectors against a thousand labels, and the bare matrix product over the same blocks; and what a
batch of new posts costs. Vectors are made up and lie on disk, so that memory is what the blocks take.

    python -m tests.benchmarks.bench_tag_blocks [vectors] [labels]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from postscope.indexing.calibration import SpaceCalibration
from postscope.indexing.label_blocks import BLOCK_CELLS, Labeller
from postscope.indexing.types import Centres, Vectors
from postscope.indexing.zero_shot import LabelSpace, PostBatch

DIM = 384
CHUNK = 16_384
"""Vectors read from disk at a time; ours and the bare product take turns over them."""


def units(rng: np.random.Generator, count: int) -> Vectors:
    """Random directions."""
    rows = rng.standard_normal((count, DIM), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def bare(rows: Vectors, weights: Vectors, out: Vectors) -> None:
    """The product alone, in blocks of the size that ours has."""
    for start in range(0, len(rows), len(out)):
        part = rows[start : start + len(out)]
        np.matmul(part, weights.T, out=out[: len(part)])


def main() -> None:
    """Print the ratio and the memory."""
    count, labels = (int(sys.argv[n]) if len(sys.argv) > n else default for n, default in ((1, 1_000_000), (2, 1_000)))
    rng = np.random.default_rng(0)
    nothing = np.zeros(DIM, np.float32)
    calibration = SpaceCalibration(Centres(nothing, nothing, nothing), units(rng, 512), units(rng, 512), {})
    directions = units(rng, labels)
    empty = {part: np.zeros((0, DIM), np.float32) for part in ("text", "media")}
    space = LabelSpace.of(dict.fromkeys(empty, directions), empty, calibration)
    labeller = Labeller(space, np.full(labels, 0.2, np.float32), np.full(labels, -1, np.intp))
    out = np.empty((max(1, BLOCK_CELLS // labels), labels), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors"
        stored = np.memmap(path, np.float32, "w+", shape=(count, DIM))
        for start in range(0, count, CHUNK):
            stored[start : start + CHUNK] = units(rng, min(CHUNK, count - start))
        stored.flush()
        del stored
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ours = product = 0.0
        given = 0
        for start in range(0, count, CHUNK):
            rows = np.fromfile(path, np.float32, min(CHUNK, count - start) * DIM, offset=start * DIM * 4).reshape(
                -1, DIM
            )
            posts = PostBatch(len(rows), rows, np.arange(len(rows)), empty["media"], np.zeros(0, np.intp))
            begun = time.perf_counter()
            given += len(labeller.give(posts).post)
            between = time.perf_counter()
            bare(rows, directions, out)
            ours, product = ours + between - begun, product + time.perf_counter() - between
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{count} vectors, {labels} labels, {given} given: {ours:.1f} s, bare product {product:.1f} s, "
        f"ratio {ours / product:.2f} (aim 1.5), memory +{grown:.0f} MiB"
    )
    batch = units(rng, 64)
    posts = PostBatch(64, batch, np.arange(64), empty["media"], np.zeros(0, np.intp))
    times = []
    for _ in range(50):
        begun = time.perf_counter()
        labeller.give(posts)
        times.append(time.perf_counter() - begun)
    print(f"scoring a batch of 64 new posts against {labels} labels: {np.median(times) * 1000 / 64:.3f} ms a post")


if __name__ == "__main__":
    main()
