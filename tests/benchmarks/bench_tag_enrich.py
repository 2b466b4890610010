"""What tagging adds to the enrich stage: the enricher with a taxonomy of 50 labels, written to database and store.

python -m tests.benchmarks.bench_tag_enrich [posts]
"""

from __future__ import annotations

import sys
import time

import numpy as np

from postscope.backend.tables import TaxonomyVersion
from postscope.backend.tagging import taxonomies
from postscope.backend.tagging.definitions import TaxonomyIn
from postscope.backend.work import Stage
from postscope.workers.batches import EnrichBatch
from postscope.workers.indexing import load
from postscope.workers.stages import run_stage
from postscope.workers.tagging import tag_posts
from tests.benchmarks.rig import posts_of, sample_texts, system

BATCH = 64


def main() -> None:
    """Milliseconds a post, the median over batches of 64."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 640
    with system() as runtime:
        with runtime.database.session() as session:
            verdicts = runtime.posts.create(session, posts_of(sample_texts(count)), now=runtime.clock())
        ids = sorted(verdict.id for verdict in verdicts if verdict.id)
        run_stage(runtime, Stage.INDEX)
        names = [{"name": f"{text[:60].replace('/', ' ')} {n}"} for n, text in enumerate(sample_texts(50))]
        with runtime.database.session() as session:
            content = TaxonomyIn.model_validate({"labels": names})
            made = taxonomies.create(session, "bench", content, origin="api", actor="bench", now=runtime.clock())
            session.get_one(TaxonomyVersion, made.id).state = "live"
        times, repeats = [], []
        for start in range(0, len(ids), BATCH):
            with runtime.database.session() as session:
                posts, media = load(session, ids[start : start + BATCH])
            for kept in (times, repeats):
                stored = runtime.store.retrieve(runtime.live.collection, [post.id for post in posts])
                batch = EnrichBatch(posts, media, {point.id: point for point in stored}, runtime.live)
                begun = time.perf_counter()
                tag_posts(runtime, batch)
                kept.append((time.perf_counter() - begun) * 1000 / len(posts))
        print(f"{count} posts, 50 labels: {np.median(times[1:]):.2f} ms a post, again {np.median(repeats[1:]):.2f} ms")


if __name__ == "__main__":
    main()
