"""The embedded store against its bare engine, and what the index costs and finds. Run by hand:

    python -m tests.benchmarks.bench_stores --points 20000 --dim 384

Vectors are drawn around 200 centres, as posts lie around topics; queries are drawn in the same way, and none
is a stored point.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
import qdrant_edge as edge

from postscope.indexing.stores.base import DenseQuery
from postscope.indexing.stores.edge import WRITE_SLICE, EdgeStore
from postscope.indexing.stores.edge_build import build_index
from postscope.indexing.stores.edge_codec import field_index, shard_config, to_edge_point
from postscope.indexing.types import AnyOf, Filter, Match, Point, SparseVector, Vectors

FIELDS = {"half": "keyword", "twentieth": "keyword", "two_hundredth": "keyword"}
KEPT = {"100%": None, "50%": "half", "5%": "twentieth", "0.5%": "two_hundredth"}
BATCH = 256


def vectors(rng: np.random.Generator, centres: Vectors, n: int) -> Vectors:
    noise = rng.standard_normal((n, centres.shape[1]), dtype=np.float32) / np.sqrt(centres.shape[1])
    drawn = centres[rng.integers(len(centres), size=n)] + 0.8 * noise
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def points(rng: np.random.Generator, drawn: Vectors) -> list[Point]:
    made = []
    for vector in drawn:
        payload = {
            "half": str(rng.integers(2)),
            "twentieth": str(rng.integers(20)),
            "two_hundredth": str(rng.integers(200)),
        }
        terms = tuple(sorted({int(t) for t in rng.zipf(1.3, size=12) if t < 2**31}))
        made.append(
            Point(
                UUID(bytes=rng.bytes(16)),
                dense={"post": vector, "text": vector},
                multi={"media": vector[None]},
                sparse={"keywords": SparseVector(terms, (1.0,) * len(terms))},
                payload=payload,
            )
        )
    return made


def batches(items: Sequence[Point]) -> Iterator[Sequence[Point]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def milliseconds(work: Callable[[Vectors], object], queries: Vectors) -> np.ndarray:
    return np.array([seconds(lambda query=query: work(query)) * 1e3 for query in queries])


def row(name: str, *cells: object) -> None:
    shown = [f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in cells]
    print(f"{name:<44}" + "".join(f"{cell:>14}" for cell in shown), flush=True)


def bench_bare(folder: Path, dim: int, made: list[Point], queries: Vectors) -> tuple[float, float]:
    """Upserts a second and median milliseconds a query of the engine alone."""
    shard = edge.EdgeShard.create(str(folder), shard_config(dim))
    for field in FIELDS:
        shard.update(field_index(field, "keyword"))

    def write() -> None:
        for start in range(0, len(made), WRITE_SLICE):
            part = [to_edge_point(point) for point in made[start : start + WRITE_SLICE]]
            shard.update(edge.UpdateOperation.upsert_points(part))

    def ask(query: Vectors) -> object:
        nearest = edge.Query.Nearest(query.tolist(), using="text")
        return shard.query(edge.QueryRequest(limit=10, query=nearest, params=edge.SearchParams(exact=True)))

    rate = len(made) / seconds(write)
    latency = float(np.median(milliseconds(ask, queries)))
    shard.close()
    return rate, latency


def search(store: EdgeStore, query: Vectors, *, exact: bool = False, field: str | None = None) -> list[Match]:
    kept = None if field is None else Filter(must=(AnyOf(field, ("0",)),))
    return store.query("posts", DenseQuery(query, "text"), filter=kept, limit=10, exact=exact)


def recall(store: EdgeStore, queries: Vectors, field: str | None) -> float:
    shares = []
    for query in queries:
        wanted = {match.id for match in search(store, query, exact=True, field=field)}
        found = {match.id for match in search(store, query, field=field)}
        shares.append(len(wanted & found) / len(wanted))
    return float(np.mean(shares))


def while_running(work: Callable[[], object], store: EdgeStore, queries: Vectors) -> np.ndarray:
    """Milliseconds of a query made every 5 ms while ``work`` runs, counted from when it was due."""
    thread = threading.Thread(target=work)
    thread.start()
    waits, due = [], time.perf_counter()
    while thread.is_alive():
        search(store, queries[len(waits) % len(queries)])
        now = time.perf_counter()
        waits.append((now - due) * 1e3)
        due = max(due + 0.005, now)
        time.sleep(max(0.0, due - time.perf_counter()))
    thread.join()
    return np.array(waits)


def show_waits(name: str, waits: np.ndarray) -> None:
    row(name, float(np.median(waits)), float(np.percentile(waits, 99)), float(waits.max()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    rng = np.random.default_rng(7)
    centres = vectors(rng, np.zeros((1, options.dim), np.float32), 200)
    made = points(rng, vectors(rng, centres, options.points))
    queries = vectors(rng, centres, options.queries)
    with tempfile.TemporaryDirectory() as folder:
        bare_rate, bare_ms = bench_bare(Path(folder) / "bare", options.dim, made, queries)
        store = EdgeStore(Path(folder) / "store")
        store.create("posts", options.dim, dict.fromkeys(FIELDS, "keyword"))
        rate = len(made) / seconds(lambda: [store.upsert("posts", part) for part in batches(made)])
        row(f"{options.points:,} points of {options.dim}", "bare", "store", "ratio")
        row("upserts a second", bare_rate, rate, rate / bare_rate)
        ms = float(np.median(milliseconds(lambda q: search(store, q, exact=True), queries)))
        row("milliseconds a query, unindexed", bare_ms, ms, ms / bare_ms)
        row("milliseconds a query", "median", "p99", "longest")
        again = made[: max(BATCH, len(made) // 4)]
        busy = while_running(lambda: [store.upsert("posts", part) for part in batches(again)], store, queries)
        show_waits("  while points are written at full speed", busy)
        reports = []
        waits = while_running(
            lambda: reports.append(build_index(store, "posts", threads=options.threads)), store, queries
        )
        show_waits("  while the index is built", waits)
        show_waits("  with the index", milliseconds(lambda q: search(store, q), queries))
        print(*reports)
        row("recall@10 with the index", "recall", "median ms", "exact ms")
        for kept, field in KEPT.items():
            quick = milliseconds(lambda q, field=field: search(store, q, field=field), queries)
            slow = milliseconds(lambda q, field=field: search(store, q, field=field, exact=True), queries)
            share = recall(store, queries, field)
            row(
                f"  a filter that keeps {kept}",
                f"{share:.4f}",
                float(np.median(quick)),
                float(np.median(slow)),
            )
        store.close()


if __name__ == "__main__":
    main()
