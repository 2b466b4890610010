"""Ingest of text posts, accepted to searchable, against the bare encoder on the same texts, and the enrichment that
follows: ``python -m tests.benchmarks.bench_ingest [POSTS]``."""

from __future__ import annotations

import sys
import time

from postscope.backend.work import Stage
from postscope.workers.stages import run_stage
from tests.benchmarks.rig import posts_of, sample_texts, system

BATCH = 64


def main() -> None:
    """Print posts a second, both ways, in turns."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    texts = sample_texts(count)
    with system() as runtime:
        encoder = runtime.live.encoder
        encoder.encode_texts(texts[:BATCH])
        bare, ours, enriched = 0.0, 0.0, 0.0
        rounds = 4
        size = count // rounds
        for turn in range(rounds):
            part = texts[turn * size : (turn + 1) * size]
            started = time.perf_counter()
            for at in range(0, len(part), BATCH):
                encoder.encode_texts(part[at : at + BATCH])
            bare += time.perf_counter() - started
            rows = posts_of(part)
            for n, row in enumerate(rows):
                row["external_id"] = f"{turn}-{n}"
            with runtime.database.session() as session:
                runtime.posts.create(session, rows, now=runtime.clock())
            started = time.perf_counter()
            run_stage(runtime, Stage.INDEX)
            ours += time.perf_counter() - started
            started = time.perf_counter()
            run_stage(runtime, Stage.ENRICH)
            enriched += time.perf_counter() - started
        total = size * rounds
        stored = runtime.store.count(runtime.live.collection)
        print(f"bare encoder, batch {BATCH}: {total / bare:8.1f} posts/s")
        print(f"index stage, to disk:    {total / ours:8.1f} posts/s  ({stored} points)")
        print(f"ratio, to searchable:    {bare / ours:8.2f}")
        print(f"enrich stage after it:   {total / enriched:8.1f} posts/s")
        print(f"ratio, both together:    {bare / (ours + enriched):8.2f}")


if __name__ == "__main__":
    main()
