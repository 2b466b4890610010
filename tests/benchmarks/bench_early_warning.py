"""What the early warning costs a post of a live stream, and one of a burst: milliseconds and SQL statements.

python -m tests.benchmarks.bench_early_warning [history] [live]

Vectors are drawn around sixty places, so that nothing has to be encoded: four weeks of talk, live posts a second apart,
and a burst of 64 posts at last, in batches of 64.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import numpy as np
from sqlalchemy import event, func, select

from postscope.backend.runtime import Runtime
from postscope.backend.tables import Alert
from postscope.cli.serving import keep_for_good
from postscope.indexing.types import Point, Vectors
from postscope.workers.batches import EnrichBatch
from postscope.workers.early_warning import watch_stream
from postscope.workers.indexing import load
from tests.benchmarks.rig import posts_of, system

BATCH = 64
PLACES, SPREAD, TIGHT = 60, 1.2, 0.4
"""Places of the talk, and how far from one its posts lie, and those of a burst."""


def main() -> None:
    """The mean over all batches but the first, which loads what stays loaded."""
    history = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000
    live = int(sys.argv[2]) if len(sys.argv) > 2 else 640
    with system() as runtime:
        ids = _take_in(runtime, history, live + BATCH)
        keep_for_good()  # as a serving process does: else rounds of the garbage collector are half of the cost
        print(f"{history} posts of four weeks, {live} live, then {BATCH} of a burst, in batches of {BATCH}")
        _measure(runtime, "live", ids[history:-BATCH], warm=True)
        _measure(runtime, "burst", ids[-BATCH:], warm=False)
        with runtime.database.session() as session:
            print(f"alerts raised: {session.scalar(select(func.count()).select_from(Alert))}")


def _take_in(runtime: Runtime, history: int, fresh: int) -> list[UUID]:
    now, count = runtime.clock(), history + fresh
    rows = posts_of([f"post {n}" for n in range(count)])
    ids: list[UUID] = []
    for n, row in enumerate(rows):
        ago = timedelta(days=28) * (1 - n / history) if n < history else timedelta(0)
        row["created_at"] = (now - max(ago, timedelta(seconds=count - n))).isoformat()
        row["author"] = f"author-{n}"
    for start in range(0, count, 1_000):
        with runtime.database.session() as session:
            verdicts = runtime.posts.create(session, rows[start : start + 1_000], now=now)
        ids += [verdict.id for verdict in verdicts if verdict.id]
    placed = _vectors(count, runtime.live.encoder.space.dim)
    with runtime.database.session() as session:
        posts, _ = load(session, ids)
        created = {post.id: int(post.created_at.timestamp()) for post in posts}
    points = [
        Point(id=post, dense={"post": vector}, payload={"created": created[post]})
        for post, vector in zip(ids, placed, strict=True)
    ]
    runtime.store.upsert(runtime.live.collection, points)
    return ids


def _vectors(count: int, dim: int) -> Vectors:
    random = np.random.default_rng(7)
    centres = random.normal(size=(PLACES + 1, dim))
    place = random.integers(0, PLACES, count)
    spread = np.full((count, 1), SPREAD)
    place[-BATCH:], spread[-BATCH:] = PLACES, TIGHT
    made = centres[place] + spread * random.normal(size=(count, dim))
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def _measure(runtime: Runtime, name: str, ids: Sequence[UUID], *, warm: bool) -> None:
    sent = Counter[str]()
    event.listen(runtime.database.engine, "before_cursor_execute", lambda *_: sent.update(["all"]))
    cpu = wall = 0.0
    statements = measured = 0
    for start in range(0, len(ids), BATCH):
        with runtime.database.session() as session:
            posts, media = load(session, ids[start : start + BATCH])
        stored = runtime.store.retrieve(runtime.live.collection, [post.id for post in posts])
        batch = EnrichBatch(posts, media, {point.id: point for point in stored}, runtime.live)
        before = (time.process_time(), time.perf_counter(), sent["all"])
        watch_stream(runtime, batch)
        if start or not warm:
            cpu += time.process_time() - before[0]
            wall += time.perf_counter() - before[1]
            statements += sent["all"] - before[2]
            measured += len(posts)
    print(
        f"{name:6} {1000 * cpu / measured:7.2f} ms CPU {1000 * wall / measured:7.2f} ms wall "
        f"{statements / measured:6.3f} statements a post ({measured} posts)"
    )


if __name__ == "__main__":
    main()
