"""What the early warning costs a post of a live stream, and one of a burst: milliseconds and SQL statements.

python -m tests.benchmarks.bench_early_warning [history] [live] [encoder]

Four weeks of talk are there; live posts come a second apart, in batches of 64, and a burst of 64 posts comes last.
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
from postscope.backend.work import Stage
from postscope.indexing.trend_replay.texts import Parts
from postscope.workers.batches import EnrichBatch
from postscope.workers.early_warning import watch_stream
from postscope.workers.indexing import load
from postscope.workers.stages import run_stage
from tests.benchmarks.rig import posts_of, system

BATCH = 64


def main() -> None:
    """The mean over all batches but the first, which loads what stays loaded."""
    history, live = (int(arg) for arg in (sys.argv[1:3] + ["4000", "704"][len(sys.argv) - 1 :]))
    random, parts = np.random.default_rng(7), Parts.read()
    themes = sorted(parts.talk)
    talk = [parts.everyday(themes[n % len(themes)], 1, random)[0] for n in range(history + live)]
    texts = [*(f"{words} {n}" for n, words in enumerate(talk)), *parts.event(3, BATCH, random)]
    with system(**({"encoder": {"name": sys.argv[3]}} if len(sys.argv) > 3 else {})) as runtime:
        now = runtime.clock()
        rows = posts_of(texts)
        fresh = len(texts) - history
        for n, row in enumerate(rows):
            ago = timedelta(seconds=len(rows) - n) if n >= history else timedelta(days=28) * (1 - n / history)
            row["created_at"] = (now - max(ago, timedelta(seconds=len(rows) - n))).isoformat()
            row["author"] = f"a{n}"
        ids: list[UUID] = []
        for start in range(0, len(rows), 1_000):
            with runtime.database.session() as session:
                verdicts = runtime.posts.create(session, rows[start : start + 1_000], now=now)
            ids += [verdict.id for verdict in verdicts if verdict.id]
        run_stage(runtime, Stage.INDEX)
        print(f"{runtime.live.encoder.space.id}: {history} posts of history, {fresh - BATCH} live, {BATCH} of a burst")
        _measure(runtime, "live", ids[history:-BATCH])
        _measure(runtime, "burst", ids[-BATCH:], warm=False)
        with runtime.database.session() as session:
            print(f"alerts raised: {session.scalar(select(func.count()).select_from(Alert))}")


def _measure(runtime: Runtime, name: str, ids: Sequence[UUID], *, warm: bool = True) -> None:
    sent = Counter[str]()
    listener = lambda *_: sent.update(["all"])  # noqa: E731
    event.listen(runtime.database.engine, "before_cursor_execute", listener)
    cpu = wall = 0.0
    statements = posts_seen = 0
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
            posts_seen += len(posts)
    event.remove(runtime.database.engine, "before_cursor_execute", listener)
    print(
        f"{name:6} {1000 * cpu / posts_seen:7.2f} ms CPU {1000 * wall / posts_seen:7.2f} ms wall "
        f"{statements / posts_seen:6.3f} statements a post ({posts_seen} posts)"
    )


if __name__ == "__main__":
    main()
