"""The store of each contract test, one after another in every implementation."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from postscope.indexing.stores.base import (
    StoreUnavailable,
    VectorStore,
)
from postscope.indexing.stores.edge import EdgeStore
from postscope.indexing.stores.qdrant import QdrantStore
from tests.contracts.stores import (
    DIM,
    FIELDS,
    SERVER,
)
from tests.qdrant_server import Server

WIRE_POLL_SECONDS = 0.02


@pytest.fixture(
    params=[
        "edge",
        "qdrant-local",
        "qdrant-wire",
        pytest.param("qdrant", marks=pytest.mark.skipif(not SERVER, reason="POSTSCOPE_QDRANT_URL is not set")),
    ]
)
def store_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def wire() -> Iterator[str]:
    """The URL of a server of the REST protocol, empty."""
    with Server(0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(WIRE_POLL_SECONDS,), daemon=True)
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


@pytest.fixture
def store(store_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[VectorStore]:
    opened: VectorStore
    match store_kind:
        case "edge":
            opened = EdgeStore(tmp_path / "store")
        case "qdrant-local":
            opened = QdrantStore.local()
        case "qdrant-wire":
            opened = QdrantStore(request.getfixturevalue("wire"))
        case _:
            opened = QdrantStore(str(SERVER))
            for left in opened.collections():
                if left.startswith("contract-"):
                    opened.drop(left)
    yield opened
    opened.close()


@pytest.fixture
def posts(store: VectorStore) -> Iterator[str]:
    """An empty collection."""
    name = f"contract-{uuid4().hex[:8]}"
    store.create(name, DIM, FIELDS)
    yield name
    try:
        store.drop(name)
    except StoreUnavailable:
        return  # a test of close
