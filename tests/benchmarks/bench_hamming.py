"""One new picture against 1,000,000 fingerprints: median and p99, against a bare FAISS binary index; memory.

Run as ``python -m tests.benchmarks.bench_hamming [entries] [queries]``. Ours and the bare index take turns.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from postscope.indexing.hamming import HammingIndex

TURNS = 8


def resident() -> int:
    """Highest memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(entries: int, queries: int) -> None:
    import faiss

    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (entries, 32), np.uint8)
    bare = faiss.IndexBinaryFlat(256)
    bare.add(codes)
    before, ours = resident(), HammingIndex()
    for start in range(0, entries, 50_000):
        part = codes[start : start + 50_000]
        ours.append([(start + n + 1, row.tobytes()) for n, row in enumerate(part)])
    grown = resident() - before
    asked = rng.integers(0, 256, (queries, TURNS, 32), np.uint8)
    spent: dict[str, list[float]] = {"bare, one": [], "ours, one": [], "bare, 8 turns": [], "ours, 8 turns": []}
    ours.within([asked[0, 0].tobytes()], 31)
    for eight in asked:
        values = [row.tobytes() for row in eight]
        for name, call in (
            ("bare, one", lambda eight=eight: bare.range_search(eight[:1], 32)),
            ("ours, one", lambda values=values: ours.within(values[:1], 31)),
            ("bare, 8 turns", lambda eight=eight: bare.range_search(eight, 32)),
            ("ours, 8 turns", lambda values=values: ours.within(values, 31)),
        ):
            started = time.perf_counter()
            call()
            spent[name].append(time.perf_counter() - started)
    print(f"{entries:,} entries; ours took {grown / entries:.0f} bytes an entry while it grew")
    for name, seconds in spent.items():
        median, p99 = np.quantile(seconds, [0.5, 0.99]) * 1000
        print(f"{name}: median {median:.2f} ms, p99 {p99:.2f} ms")
    for what in ("one", "8 turns"):
        ratio = np.median(spent[f"ours, {what}"]) / np.median(spent[f"bare, {what}"])
        print(f"ratio, {what}: {ratio:.3f}")


if __name__ == "__main__":
    numbers = [int(value) for value in sys.argv[1:]]
    main(*(numbers + [1_000_000, 300][len(numbers) :]))
