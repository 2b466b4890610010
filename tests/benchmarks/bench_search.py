"""Search over many posts, against encoding the query and asking the store, measured bare: ``python -m
tests.benchmarks.bench_search [POSTS [QUERIES]]``. The vectors are drawn at random: the store scans them all alike."""

from __future__ import annotations

import sys
import time
from uuid import UUID, uuid4

import numpy as np
import psutil
from sqlalchemy import text

from postscope.backend.runtime import Runtime
from postscope.backend.searching.requests import SearchRequest
from postscope.backend.searching.service import search
from postscope.indexing.stores.base import DenseQuery, SparseQuery
from postscope.indexing.types import Point
from postscope.sample import read_queries
from tests.benchmarks.rig import posts_of, sample_texts, system

BATCH = 1_000
DEPTH = 100


def main() -> None:
    """Print the medians and the slowest, and the memory of the process."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    asked = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    queries = [query.text for query in read_queries()]
    queries = [queries[n % len(queries)] for n in range(asked)]
    with system(store={"index_from": 10_000_000}) as runtime:
        fill(runtime, count)
        memory = psutil.Process().memory_info().rss
        key = uuid4()
        bare, ours = [], []
        for words in queries:  # in turns, so that both meet the same load
            bare.append(timed(lambda words=words: ask_bare(runtime, words)))
            ours.append(timed(lambda words=words: search(runtime, SearchRequest(text=words), key_id=key)))
        print(f"{count} posts, {asked} queries")
        for name, seconds in (("bare: encode and ask", bare), ("search, hybrid", ours)):
            median, slow = np.quantile(seconds, [0.5, 0.99]) * 1e3
            print(f"{name:<22} median {median:7.1f} ms   p99 {slow:7.1f} ms")
        print(f"ratio of the medians   {np.median(ours) / np.median(bare):.2f}")
        print(f"memory of the process  {memory / 2**20:.0f} MiB")


def fill(runtime: Runtime, count: int) -> None:
    """Posts in the database and random unit vectors in the store."""
    random = np.random.default_rng(7)
    rows = posts_of(sample_texts(count))
    for at in range(0, count, BATCH):
        part = rows[at : at + BATCH]
        with runtime.database.session() as session:
            verdicts = runtime.posts.create(session, part, now=runtime.clock())
            session.execute(text("DELETE FROM work"))
        vectors = random.standard_normal((len(part), runtime.encoder.space.dim)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        points = [
            Point(
                id=UUID(str(verdict.id)),
                dense={"text": vector, "post": vector},
                sparse={"keywords": runtime.keywords.document(row["text"])},
                payload={"source": "bench"},
            )
            for verdict, row, vector in zip(verdicts, part, vectors, strict=True)
        ]
        runtime.store.upsert(runtime.live.collection, points)


def ask_bare(runtime: Runtime, words: str) -> None:
    """What no search can do without."""
    vector = runtime.calibration.centre_queries(runtime.encoder.encode_queries([words]))[0]
    asked = [DenseQuery(vector, "text"), DenseQuery(vector, "media"), SparseQuery(runtime.keywords.query(words))]
    runtime.store.query_many(runtime.live.collection, asked, limit=DEPTH)


def timed(action: object) -> float:
    """Seconds that a call takes."""
    assert callable(action)
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
