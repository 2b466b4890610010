"""The store of the journeys: what one client writes another reads, also after the process was killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from postscope.indexing.stores.base import StoreUnavailable
from postscope.indexing.stores.qdrant import QdrantStore
from tests.contracts.stores import DIM, FIELDS, point, uid, unit
from tests.journeys.processes import wait_for
from tests.servers import free_port


@contextmanager
def serving(port: int, folder: Path) -> Iterator[QdrantStore]:
    """A client of a server process that is killed at last."""
    command = [sys.executable, "-m", "tests.qdrant_server", str(port), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    store = QdrantStore(f"http://127.0.0.1:{port}")
    try:
        wait_for("the server answers", lambda: ready(store))
        yield store
    finally:
        store.close()
        process.kill()
        process.wait(20)


def ready(store: QdrantStore) -> bool:
    try:
        store.ready()
    except StoreUnavailable:
        return False
    return True


def test_two_clients_share_it_and_a_kill_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    with serving(port, tmp_path / "store") as store:
        store.create("shared", DIM, FIELDS)
        store.set_alias("posts", "shared")
        store.upsert("posts", [point(1, text=unit(1), payload={"source": "a"})])
        other = QdrantStore(f"http://127.0.0.1:{port}")
        assert [stored.id for stored in other.retrieve("posts", [uid(1)])] == [uid(1)]
        other.close()
    with serving(port, tmp_path / "store") as store:
        assert store.resolve("posts") == "shared"
        assert store.count("posts") == 1


def test_nobody_there_is_an_outage() -> None:
    store = QdrantStore(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnavailable):
        store.ready()
    store.close()
