from __future__ import annotations

from pathlib import Path

import pytest

from postscope.backend.errors import NotReady
from postscope.indexing.pipeline import PAYLOAD_FIELDS
from postscope.indexing.stores.edge import EdgeStore
from postscope.migrations.collections import layouts
from postscope.migrations.collections.layouts import LAYOUT, upgrade_collection


def test_a_new_collection_has_the_fields_that_the_pipeline_writes() -> None:
    made: list[tuple[str, int, dict[str, str]]] = []

    class Recording:
        def create(self, collection: str, dim: int, fields: dict[str, str]) -> None:
            made.append((collection, dim, dict(fields)))

    assert upgrade_collection(Recording(), "posts-a", 4) == LAYOUT
    assert made == [("posts-a", 4, dict(PAYLOAD_FIELDS))]


def test_again_is_harmless(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    for _ in range(2):
        assert upgrade_collection(store, "posts-a", 4) == LAYOUT
    assert upgrade_collection(store, "posts-a", 4, layout=LAYOUT) == LAYOUT
    assert store.collections() == ["posts-a"]
    store.close()


def test_only_the_steps_that_are_missing_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    steps = (lambda *_: ran.append("first"), lambda *_: ran.append("second"))
    monkeypatch.setattr(layouts, "STEPS", steps)
    monkeypatch.setattr(layouts, "LAYOUT", 2)
    store = EdgeStore(tmp_path)
    assert upgrade_collection(store, "posts-a", 4, layout=1) == 2
    assert ran == ["second"]
    store.close()


def test_a_layout_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    with pytest.raises(NotReady, match="posts-a has layout 99") as caught:
        upgrade_collection(store, "posts-a", 4, layout=99)
    assert caught.value.code == "collection_newer"
    store.close()
