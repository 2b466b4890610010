"""What each enricher costs a text post: processor and wall milliseconds, SQL statements; no banks, no taxonomies.

python -m tests.benchmarks.bench_enrich [posts] [encoder]
"""

from __future__ import annotations

import sys
import time
from collections import Counter

from sqlalchemy import event

from postscope.backend.work import Stage
from postscope.workers.batches import EnrichBatch
from postscope.workers.enrichment import ENRICHERS
from postscope.workers.indexing import load
from postscope.workers.stages import run_stage
from tests.benchmarks.rig import posts_of, sample_texts, system

BATCH = 64


def main() -> None:
    """The mean over all batches but the first, which loads what stays loaded."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 640
    cpu: Counter[str] = Counter()
    wall: Counter[str] = Counter()
    statements: Counter[str] = Counter()
    measured = 0
    with system(**({"encoder": {"name": sys.argv[2]}} if len(sys.argv) > 2 else {})) as runtime:
        with runtime.database.session() as session:
            verdicts = runtime.posts.create(session, posts_of(sample_texts(count)), now=runtime.clock())
        ids = sorted(verdict.id for verdict in verdicts if verdict.id)
        run_stage(runtime, Stage.INDEX)
        sent = Counter[str]()
        event.listen(runtime.database.engine, "before_cursor_execute", lambda *_: sent.update(["all"]))
        for start in range(0, len(ids), BATCH):
            with runtime.database.session() as session:
                posts, media = load(session, ids[start : start + BATCH])
            stored = runtime.store.retrieve(runtime.live.collection, [post.id for post in posts])
            batch = EnrichBatch(posts, media, {point.id: point for point in stored}, runtime.live)
            measured += len(posts) if start else 0
            for enricher in ENRICHERS:
                before = (time.process_time(), time.perf_counter(), sent["all"])
                enricher(runtime, batch)
                if start:
                    cpu[enricher.__name__] += time.process_time() - before[0]
                    wall[enricher.__name__] += time.perf_counter() - before[1]
                    statements[enricher.__name__] += sent["all"] - before[2]
        print(f"{runtime.live.encoder.space.id}: {measured} posts, batches of {BATCH}")
    for name in [enricher.__name__ for enricher in ENRICHERS]:
        _tell(name, cpu[name], wall[name], statements[name], measured)
    _tell("all", cpu.total(), wall.total(), statements.total(), measured)


def _tell(name: str, cpu: float, wall: float, statements: float, posts: int) -> None:
    print(
        f"{name:18} {1000 * cpu / posts:7.2f} ms CPU {1000 * wall / posts:7.2f} ms wall "
        f"{statements / posts:6.3f} statements"
    )


if __name__ == "__main__":
    main()
