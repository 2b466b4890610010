"""The store of each contract test, one after another in every implementation."""

from __future__ import annotations

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


@pytest.fixture(
    params=[
        "edge",
        "qdrant-local",
        pytest.param(
            "qdrant", marks=pytest.mark.skipif(not SERVER, reason="POSTSCOPE_QDRANT_URL is not set")
        ),
    ]
)
def store_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(store_kind: str, tmp_path: Path) -> Iterator[VectorStore]:
    opened: VectorStore
    match store_kind:
        case "edge":
            opened = EdgeStore(tmp_path / "store")
        case "qdrant-local":
            opened = QdrantStore.local()
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
