"""Search over many posts, against encoding the query and asking the store, measured bare; then beside ingest at full
speed; then the memory of the process over many requests: ``python -m tests.benchmarks.bench_search [POSTS [QUERIES
[REQUESTS]]]``.

The vectors are those of the sample's texts, each moved a little in a direction drawn at random: many posts
of one meaning, as when a story is everywhere, so that searches find by meaning as well as by words.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import numpy as np
import psutil

from postscope.backend import work
from postscope.backend.runtime import Runtime
from postscope.backend.searching.requests import SearchRequest
from postscope.backend.searching.service import search
from postscope.cli.serving import keep_for_good, working
from postscope.indexing.stores.base import DenseQuery, SparseQuery
from postscope.indexing.types import Point, Vectors
from postscope.sample import read_queries
from tests.benchmarks.rig import execute, originals, posts_of, sample_texts, system

BATCH = 1_000
DEPTH = 100
MOVED = 0.2
"""Length of the random step from a text's vector: a cosine of 0.98 to it."""
INGESTED = 20_000
"""Posts that wait to be indexed while searches are measured: more than can be, in the time."""


def main() -> None:
    """Print the medians and the slowest, idle and beside ingest, and the memory of the process."""
    numbers = [int(given) for given in sys.argv[1:]]
    count, asked, requests = [*numbers, *(100_000, 200, 20_000)[len(numbers) :]]
    queries = [query.text for query in read_queries()]
    with system(store={"index_from": 10_000_000}) as runtime:
        fill(runtime, count)
        keep_for_good()
        print(f"{count} posts; memory of the process {memory():.0f} MiB")
        measure(runtime, [queries[n % len(queries)] for n in range(asked)])
        with ingest(runtime):
            beside(runtime, [queries[n % len(queries)] for n in range(asked)])
        execute(runtime, "DELETE FROM work")
        growth(runtime, queries, requests)


def measure(runtime: Runtime, queries: Sequence[str]) -> None:
    """Idle, ours and the bare parts in turns, so that both meet the same load."""
    bare, ours = [], []
    for words in queries:
        bare.append(timed(lambda words=words: ask_bare(runtime, words)))
        ours.append(timed(lambda words=words: ask(runtime, words)))
    report("bare: encode and ask", bare)
    report("search, hybrid", ours)
    print(f"ratio of the medians      {np.median(ours) / np.median(bare):.2f}")


def beside(runtime: Runtime, queries: Sequence[str]) -> None:
    """The same searches, a tenth of a second apart, while posts are indexed as fast as they can be."""
    found = []
    started, before = time.perf_counter(), runtime.store.count(runtime.live.collection)
    for words in queries:
        found.append(timed(lambda words=words: ask(runtime, words)))
        time.sleep(0.1)
    seconds = time.perf_counter() - started
    indexed = runtime.store.count(runtime.live.collection) - before
    with runtime.database.session() as session:
        waiting = {row.stage: row.waiting for row in work.backlog(session)}
    assert waiting["index"], "the ingest ended before the searches did"
    report("search beside ingest", found)
    median, slow = np.quantile(found, [0.5, 0.99])
    print(f"p99 over median           {slow / median:.1f}   ({indexed / seconds:.0f} posts/s indexed meanwhile)")


def growth(runtime: Runtime, queries: Sequence[str], requests: int) -> None:
    """Memory after each quarter of many searches: what is kept for good shows as a steady rise."""
    for quarter in range(5):
        for n in range(requests // 4 if quarter else 200):  # the first ones fill what caches there are
            ask(runtime, queries[n % len(queries)] + (f" {n}" if n % 3 == 0 else ""))
        gc.collect()
        print(f"after {quarter * (requests // 4):6d} requests      {memory():.0f} MiB")


@contextmanager
def ingest(runtime: Runtime) -> Iterator[None]:
    """The stages on their threads, with more to do than they can."""
    rows = posts_of([f"{words} once more" for words in sample_texts(INGESTED)])
    for n, row in enumerate(rows):
        row["external_id"] = f"more-{n}"
    for at in range(0, len(rows), BATCH):
        with runtime.database.session() as session:
            runtime.posts.create(session, rows[at : at + BATCH], now=runtime.clock())
    with working(runtime):
        time.sleep(3)  # until the first batches are through
        yield


def fill(runtime: Runtime, count: int) -> None:
    """Posts in the database and vectors in the store."""
    random = np.random.default_rng(7)
    rows = posts_of(sample_texts(count))
    meant = runtime.calibration.centre_texts(runtime.encoder.encode_texts(originals()))
    for at in range(0, count, BATCH):
        part = rows[at : at + BATCH]
        with runtime.database.session() as session:
            verdicts = runtime.posts.create(session, part, now=runtime.clock())
        steps = unit(random.standard_normal((len(part), runtime.encoder.space.dim)).astype(np.float32))
        vectors = unit(meant[np.arange(at, at + len(part)) % len(meant)] + MOVED * steps)
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
    execute(runtime, "DELETE FROM work")
    execute(runtime, "ANALYZE")


def unit(rows: Vectors) -> Vectors:
    """Rows of length one."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def ask(runtime: Runtime, words: str) -> None:
    """A search as the API makes it."""
    search(runtime, SearchRequest(text=words), key_id=UUID(int=1))


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


def report(name: str, seconds: Sequence[float]) -> None:
    """Median and slowest in milliseconds."""
    median, slow = np.quantile(seconds, [0.5, 0.99]) * 1e3
    print(f"{name:<25} median {median:7.1f} ms   p99 {slow:7.1f} ms   {slow / median:.1f} times the median")


def memory() -> float:
    """Resident, in MiB."""
    return float(psutil.Process().memory_info().rss) / 2**20


if __name__ == "__main__":
    main()
