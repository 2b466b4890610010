"""What only the embedded store promises: one owner, nothing lost when killed, queries first."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qdrant_edge as edge

from postscope.indexing.stores.base import DenseQuery, StoreBusy, StoreUnavailable
from postscope.indexing.stores.edge import EdgeStore
from postscope.indexing.stores.edge_files import copy_sparse
from postscope.indexing.stores.edge_turns import Turns
from postscope.indexing.types import AnyOf, Filter
from tests.contracts.stores import DIM, FIELDS, point, uid, unit

TEXT = DenseQuery(unit(1), "text")

WRITER = """
import sys
from pathlib import Path
from postscope.indexing.stores.edge import EdgeStore
from tests.contracts.stores import DIM, FIELDS, point, unit
store = EdgeStore(Path(sys.argv[1]))
store.create("posts", DIM, FIELDS)
store.set_alias("live", "posts")
for first in range(1, 1_000_000, 50):
    store.upsert("live", [point(n, text=unit(1, n), payload={"likes": n}) for n in range(first, first + 50)])
    print(first + 49, flush=True)
"""


def spawn(script: str, *arguments: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True, cwd=root)


def acknowledged(child: subprocess.Popen[str], batches: int) -> int:
    assert child.stdout is not None
    return [int(child.stdout.readline()) for _ in range(batches)][-1]


def test_a_process_killed_while_writing_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with spawn(WRITER, str(tmp_path)) as child:
        last = acknowledged(child, 20)
        child.kill()
        assert child.stdout is not None
        last = max([last, *map(int, child.stdout.read().split())])
    store = EdgeStore(tmp_path)
    assert store.resolve("live") == "posts"
    found = {s.id.int: s for page in store.scroll("live", with_vectors=True) for s in page}
    assert set(range(1, last + 1)) <= set(found)
    assert all(s.payload == {"likes": n} and set(s.dense) == {"text"} for n, s in found.items())
    assert store.query("live", TEXT, limit=1)[0].id == uid(1)
    store.upsert("live", [point(1, text=unit(0, 1))])
    store.close()


def test_what_breaks_inside_the_engine_is_an_outage_and_ends_no_thread(tmp_path: Path) -> None:
    deep: Any = "bottom"
    for _ in range(200):
        deep = [deep]
    store = EdgeStore(tmp_path)
    store.create("posts", DIM, FIELDS)
    odd = edge.Point(uid(1), {"text": unit(1).tolist()}, {"deep": deep})  # past the check that keeps it out
    store.collection("posts").write([uid(1)], [edge.UpdateOperation.upsert_points([odd])])
    with pytest.raises(StoreUnavailable, match="posts"):
        store.query("posts", TEXT, filter=Filter(must=(AnyOf("elsewhere", ("x",)),)))
    store.upsert("posts", [point(2, text=unit(1))])
    assert [match.id for match in store.query("posts", TEXT)] == [uid(1), uid(2)]
    store.close()


def test_another_process_finds_it_busy(tmp_path: Path) -> None:
    with spawn(WRITER, str(tmp_path)) as child:
        acknowledged(child, 1)
        with pytest.raises(StoreBusy, match=str(child.pid)):
            EdgeStore(tmp_path)
        child.kill()
    EdgeStore(tmp_path).close()


def test_a_second_store_in_this_process_finds_it_busy(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    with pytest.raises(StoreBusy):
        EdgeStore(tmp_path)
    store.close()
    EdgeStore(tmp_path).close()


def test_closed_and_opened_again_everything_is_there(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "new" / "folder")
    store.create("posts", DIM, FIELDS)
    store.set_alias("live", "posts")
    store.upsert("posts", [point(1, text=unit(1), payload={"source": "x"})])
    store.close()
    store = EdgeStore(tmp_path / "new" / "folder")
    assert store.resolve("live") == "posts"
    assert store.facet("live", "source") == [("x", 1)]
    store.close()


def test_what_crashes_left_behind_is_removed(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    store.create("posts", DIM, FIELDS)
    store.upsert("posts", [point(1)])
    store.close()
    (tmp_path / "collections" / "posts" / "shard-1").mkdir()
    (tmp_path / "collections" / "half-made" / "shard-0").mkdir(parents=True)
    (tmp_path / "aliases.json").write_text(json.dumps({"dangling": "gone"}))
    store = EdgeStore(tmp_path)
    assert store.collections() == ["posts"]
    assert store.resolve("dangling") is None
    assert store.count("posts") == 1
    assert sorted(p.name for p in (tmp_path / "collections").rglob("shard-*")) == ["shard-0"]
    store.close()


@pytest.mark.parametrize("name", ["aliases.json", "collections/posts/collection.json"])
def test_a_damaged_file_is_named_and_the_folder_let_go(tmp_path: Path, name: str) -> None:
    store = EdgeStore(tmp_path)
    store.create("posts", DIM, FIELDS)
    store.set_alias("live", "posts")
    store.close()
    good = (tmp_path / name).read_text()
    (tmp_path / name).write_text(good[:10])
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=Path(name).name):
            EdgeStore(tmp_path)
    (tmp_path / name).write_text(good)
    EdgeStore(tmp_path).close()


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    store.create("posts", DIM, FIELDS)
    store.close()
    (tmp_path / "collections" / "posts" / "shard-0" / "edge_config.json").write_text("{")
    with pytest.raises(StoreUnavailable, match="posts"):
        EdgeStore(tmp_path)


def test_turns_go_to_whoever_came_first() -> None:
    turns, order = Turns(), []

    def take(n: int) -> None:
        with turns:
            order.append(n)

    threads = [threading.Thread(target=take, args=(n,)) for n in range(8)]
    with turns:
        for thread in threads:
            thread.start()
            time.sleep(0.02)  # long enough for it to stand in line
        order.append(-1)
    for thread in threads:
        thread.join()
    assert order == [-1, *range(8)]


def test_a_query_waits_for_no_more_than_a_slice_of_an_upsert(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    store.create("posts", DIM, FIELDS)
    points = [point(n, text=unit(1, n)) for n in range(1, 20_001)]
    store.upsert("posts", points[:1])
    writer = threading.Thread(target=store.upsert, args=("posts", points))
    writer.start()
    seen = []
    while writer.is_alive():
        store.query("posts", TEXT, limit=1)
        seen.append(store.count("posts"))
    writer.join()
    assert seen == sorted(seen)
    assert len(set(seen)) > 20, "queries must get their turn all along the upsert"
    store.close()


def test_a_sparse_copy_is_the_same_and_no_larger(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "small").write_bytes(b"abc")
    (source / "empty").touch()
    with (source / "holes").open("wb") as file:
        file.seek(1 << 20)
        file.write(np.arange(1000).tobytes())
        file.truncate(1 << 24)
    copy_sparse(source, tmp_path / "copy")
    for path in ("deep/small", "empty", "holes"):
        assert (tmp_path / "copy" / path).read_bytes() == (source / path).read_bytes()
    assert (tmp_path / "copy" / "holes").stat().st_blocks <= (source / "holes").stat().st_blocks + 8
