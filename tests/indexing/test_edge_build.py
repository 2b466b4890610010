"""The index built beside: what is written meanwhile is in it; whatever goes wrong, the live shard stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from postscope.indexing.stores.base import CollectionMissing, DenseQuery, SparseQuery, StoreBusy, StoreError
from postscope.indexing.stores.edge import EdgeStore
from postscope.indexing.stores.edge_build import (
    IndexBuildFailed,
    IndexBuildStopped,
    build_index,
    unindexed,
)
from postscope.indexing.types import AnyOf, Filter
from tests.contracts.stores import DIM, FIELDS, point, random_point, terms, uid, unit

N = 600


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EdgeStore]:
    store = EdgeStore(tmp_path)
    store.create("posts", DIM, FIELDS)
    rng = np.random.default_rng(2)
    store.upsert("posts", [random_point(rng, uid(n)) for n in range(1, N + 1)])
    yield store
    store.close()


def shards(path: Path) -> list[str]:
    return sorted(p.name for p in path.rglob("shard-*"))


def answers(store: EdgeStore) -> list:
    rare = Filter(must=(AnyOf("tags", ("red",)), AnyOf("flagged", (True,))))
    queries = [DenseQuery(unit(1, 2, 3), using) for using in ("post", "text", "media")]
    found = store.query_many("posts", [*queries, SparseQuery(terms(t1=1.0, t5=2.0))], limit=20, exact=True)
    found += store.query_many("posts", queries, filter=rare, limit=20, exact=True)
    return [
        [[(m.id, round(m.score, 5)) for m in answer] for answer in found],
        [(s.id, s.payload, sorted(s.dense), sorted(s.multi)) for page in store.scroll("posts") for s in page],
        store.facet("posts", "tags"),
    ]


def test_the_same_answers_with_an_index(store: EdgeStore, tmp_path: Path) -> None:
    before = answers(store)
    phases: list[str] = []
    report = build_index(store, "posts", progress=lambda phase, done, total: phases.append(phase))
    assert report is not None
    assert report.points == N
    assert answers(store) == before
    assert list(dict.fromkeys(phases)) == ["copy", "index", "swap"]
    assert shards(tmp_path) == ["shard-1"]
    assert unindexed(store, "posts") == 0


def test_not_more_points_than_asked_for_need_no_index(store: EdgeStore) -> None:
    assert build_index(store, "posts", more_than=N) is None
    assert build_index(store, "posts", more_than=N - 1) is not None
    store.upsert("posts", [point(n) for n in range(N + 1, N + 11)])
    assert unindexed(store, "posts") == 10
    assert build_index(store, "posts", more_than=10) is None


def test_an_indexed_collection_is_written_read_and_opened_like_any_other(store: EdgeStore, tmp_path: Path) -> None:
    build_index(store, "posts")
    store.upsert("posts", [point(1, text=unit(0, 0, 1)), point(N + 1, text=unit(0, 0, 1))])
    store.delete("posts", [uid(2)])
    store.set_payload("posts", {uid(3): {"likes": 77}})
    build_index(store, "posts")
    store.close()
    with_index = EdgeStore(tmp_path)
    found = with_index.query("posts", DenseQuery(unit(0, 0, 1), "text"), limit=2, exact=True)
    assert [m.id for m in found] == [uid(1), uid(N + 1)]
    assert with_index.count("posts") == N
    assert with_index.retrieve("posts", [uid(2)]) == []
    assert with_index.retrieve("posts", [uid(3)])[0].payload["likes"] == 77
    assert shards(tmp_path) == ["shard-2"]
    with_index.close()


def test_an_empty_collection(store: EdgeStore) -> None:
    store.create("empty", DIM, {})
    assert build_index(store, "empty") is None
    with pytest.raises(CollectionMissing):
        build_index(store, "nothing")


def test_what_is_written_meanwhile_is_in_it(store: EdgeStore) -> None:
    """A writer that never pauses: new points, changed ones, payloads, and points that come and go."""
    done = threading.Event()
    rng = np.random.default_rng(3)
    failures: list[BaseException] = []
    last = {"n": N}

    def write() -> None:
        try:
            while not done.is_set():
                n = last["n"] = last["n"] + 1
                store.upsert("posts", [random_point(rng, uid(n)), random_point(rng, uid(n % N + 1))])
                store.set_payload("posts", {uid((n * 7) % N + 1): {"likes": n}})
                store.delete("posts", [uid((n * 13) % N + 1)])
                history.append(n)
                done.wait(0.01)
        except BaseException as error:
            failures.append(error)

    history: list[int] = []
    mirror_before = N
    writer = threading.Thread(target=write)
    writer.start()
    report = build_index(store, "posts")
    done.set()
    writer.join()
    assert failures == []
    assert report is not None
    assert report.caught_up > 0
    assert len(history) > 10
    # Every point that only came is there; replaying the script on a fresh store gives the same store.
    replay_rng = np.random.default_rng(2)
    store.create("replay", DIM, FIELDS)
    store.upsert("replay", [random_point(replay_rng, uid(n)) for n in range(1, mirror_before + 1)])
    replay_rng = np.random.default_rng(3)
    for n in history:
        store.upsert("replay", [random_point(replay_rng, uid(n)), random_point(replay_rng, uid(n % N + 1))])
        store.set_payload("replay", {uid((n * 7) % N + 1): {"likes": n}})
        store.delete("replay", [uid((n * 13) % N + 1)])
    ours, theirs = (
        [
            (s.id, s.payload, {k: np.round(v, 4).tolist() for k, v in {**s.dense, **s.multi}.items()})
            for p in store.scroll(name, with_vectors=True)
            for s in p
        ]
        for name in ("posts", "replay")
    )
    assert ours == theirs


def test_stopped_the_live_shard_stays(store: EdgeStore, tmp_path: Path) -> None:
    before, stop = answers(store), threading.Event()

    def at_index(phase: str, done: int, total: int) -> None:
        if phase == "index":
            stop.set()

    with pytest.raises(IndexBuildStopped):
        build_index(store, "posts", stop=stop, progress=at_index)
    assert answers(store) == before
    assert shards(tmp_path) == ["shard-0"]
    assert build_index(store, "posts") is not None


def test_a_child_that_fails_is_reported(store: EdgeStore, tmp_path: Path) -> None:
    def damage(phase: str, done: int, total: int) -> None:
        if phase == "index" and not done:
            (tmp_path / "collections/posts/shard-1/edge_config.json").write_text("{")

    before = answers(store)
    with pytest.raises(IndexBuildFailed, match="exit 1"):
        build_index(store, "posts", progress=damage)
    assert answers(store) == before
    assert shards(tmp_path) == ["shard-0"]


def test_one_build_at_a_time(store: EdgeStore) -> None:
    inner: list[type] = []

    def again(phase: str, done: int, total: int) -> None:
        if phase == "index" and not inner:
            try:
                build_index(store, "posts")
            except StoreError as error:
                inner.append(type(error))

    assert build_index(store, "posts", progress=again) is not None
    assert inner == [StoreBusy]


def test_a_collection_dropped_meanwhile(store: EdgeStore, tmp_path: Path) -> None:
    def drop(phase: str, done: int, total: int) -> None:
        if phase == "index":
            store.drop("posts")

    with pytest.raises(CollectionMissing):
        build_index(store, "posts", progress=drop)
    store.create("posts", DIM, FIELDS)
    assert store.count("posts") == 0


BUILDER = """
import sys
from pathlib import Path
from postscope.indexing.stores.edge import EdgeStore
from postscope.indexing.stores.edge_build import build_index
store = EdgeStore(Path(sys.argv[1]))
build_index(store, "posts", progress=lambda phase, done, total: print(phase, flush=True))
"""


def test_a_process_killed_while_building_leaves_the_live_shard(store: EdgeStore, tmp_path: Path) -> None:
    before = answers(store)
    store.close()
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root
    ) as builder:
        assert builder.stdout is not None
        while builder.stdout.readline().strip() != "index":
            pass
        child = children(builder.pid)
        builder.kill()
    assert wait_until_gone(child), "the child must not outlive the process that serves"
    again = EdgeStore(tmp_path)
    assert answers(again) == before
    assert shards(tmp_path) == ["shard-0"]
    again.close()


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until_gone(pids: list[int]) -> bool:
    for _ in range(100):
        if not any(running(pid) for pid in pids):
            return True
        time.sleep(0.05)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return False


def running(pid: int) -> bool:
    """A zombie that nobody has collected yet is not running."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
