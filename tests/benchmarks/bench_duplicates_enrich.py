"""What fingerprints and duplicates add to the enrichment of a post, in milliseconds: of texts, and of pictures.

Run as ``python -m tests.benchmarks.bench_duplicates_enrich [texts] [pictures]``, on the sample's texts and pictures.
"""

from __future__ import annotations

import io
import sys
import time

from postscope.backend.runtime import Runtime
from postscope.backend.uploads import add_upload
from postscope.backend.work import Stage
from postscope.sample import sample_dir
from postscope.workers.batches import EnrichBatch
from postscope.workers.duplicates import find_duplicates
from postscope.workers.fingerprinting import fingerprint_posts
from postscope.workers.indexing import load
from postscope.workers.stages import run_stage
from tests.benchmarks.rig import posts_of, sample_texts, system

BATCH = 64


def pictures(runtime: Runtime, count: int) -> list[dict[str, object]]:
    rows = posts_of([""] * count)
    for number, path in enumerate(sorted((sample_dir() / "images").glob("*"))[:count]):
        with runtime.database.session() as session:
            data = io.BytesIO(path.read_bytes())
            upload = add_upload(session, runtime.blobs, data, max_bytes=10**7, now=runtime.clock())
            rows[number] |= {"source": "pictures", "media": [{"upload_id": str(upload.id)}]}
    return rows


def measure(runtime: Runtime, rows: list[dict[str, object]]) -> tuple[float, float]:
    """Milliseconds a post: of the fingerprints, and of the search for copies."""
    with runtime.database.session() as session:
        verdicts = runtime.posts.create(session, rows, now=runtime.clock())
    run_stage(runtime, Stage.INDEX)
    ids = [verdict.id for verdict in verdicts if verdict.id is not None]
    spent = [0.0, 0.0]
    for start in range(0, len(ids), BATCH):
        with runtime.database.session() as session:
            posts, media = load(session, ids[start : start + BATCH])
        batch = EnrichBatch(posts, media, {}, runtime.live)
        for place, step in enumerate((fingerprint_posts, find_duplicates)):
            started = time.perf_counter()
            step(runtime, batch)
            spent[place] += time.perf_counter() - started
    return spent[0] / len(ids) * 1000, spent[1] / len(ids) * 1000


def main(texts: int, images: int) -> None:
    with system() as runtime:
        _ = runtime.scenes
        for name, rows in (("text", posts_of(sample_texts(texts))[:texts]), ("picture", pictures(runtime, images))):
            made, found = measure(runtime, rows)
            print(f"{name}: fingerprints {made:.2f} ms, copies {found:.2f} ms a post")


if __name__ == "__main__":
    numbers = [int(value) for value in sys.argv[1:]]
    main(*(numbers + [1_000, 150][len(numbers) :]))
