"""Ingest of posts with one image each, claimed to searchable on disk, against a bare loop that decodes and encodes the
same files: ``python -m tests.benchmarks.bench_ingest_images [IMAGES]``. The images are those of the sample."""

from __future__ import annotations

import io
import sys
import time

from postscope.backend.runtime import Runtime
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.indexing.media.image import open_image
from postscope.indexing.pipeline import CALM_IMAGE_SLICE, IMAGE_TARGET
from postscope.sample import sample_dir
from postscope.workers.stages import run_stage
from tests.benchmarks.rig import posts_of, system

ROUNDS = 3


def main() -> None:
    """Print images a second, both ways, in turns. Stages before ``index`` are run outside of the measurement."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    files = sorted(path for path in (sample_dir() / "images").iterdir() if path.suffix in (".jpg", ".png", ".webp"))
    chosen = [path.read_bytes() for path in files[:count]]
    with system() as runtime:
        bare_seconds(runtime, chosen[:8])
        bare, ours = 0.0, 0.0
        size = len(chosen) // ROUNDS
        for turn in range(ROUNDS):
            # Other files each time: what was encoded a moment ago is remembered.
            part = chosen[turn * size : (turn + 1) * size]
            bare += bare_seconds(runtime, part)
            ours += stage_seconds(runtime, part, turn)
    total = size * ROUNDS
    print(f"bare loop, batch {CALM_IMAGE_SLICE}:    {total / bare:8.1f} images/s")
    print(f"index stage, to disk:  {total / ours:8.1f} images/s")
    print(f"ratio:                 {bare / ours:8.2f}")


def bare_seconds(runtime: Runtime, files: list[bytes]) -> float:
    """Decode a few, encode them, and so on: what a loop in ten lines does."""
    started = time.perf_counter()
    for at in range(0, len(files), CALM_IMAGE_SLICE):
        images = [
            open_image(data, max_pixels=50_000_000, target=IMAGE_TARGET) for data in files[at : at + CALM_IMAGE_SLICE]
        ]
        runtime.encoder.encode_images(images)
    return time.perf_counter() - started


def stage_seconds(runtime: Runtime, files: list[bytes], turn: int) -> float:
    """Upload, post, then index: only the last is timed."""
    rows = posts_of([""] * len(files))
    with runtime.database.session() as session:
        for n, (row, data) in enumerate(zip(rows, files, strict=True)):
            upload = add_upload(session, runtime.blobs, io.BytesIO(data), max_bytes=25_000_000, now=runtime.clock())
            row |= {"external_id": f"{turn}-{n}", "text": None, "media": [{"upload_id": str(upload.id)}]}
        session.flush()
        verdicts = runtime.posts.create(session, rows, now=runtime.clock())
    assert all(verdict.status == "accepted" for verdict in verdicts), verdicts[0]
    before = runtime.store.count(runtime.live.collection)
    started = time.perf_counter()
    run_stage(runtime, Stage.INDEX)
    seconds = time.perf_counter() - started
    assert runtime.store.count(runtime.live.collection) - before == len(files)
    return seconds


if __name__ == "__main__":
    main()
