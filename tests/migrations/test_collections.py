from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from postscope.backend.errors import NotReady
from postscope.indexing.pipeline import PAYLOAD_FIELDS
from postscope.indexing.stores.edge import EdgeStore
from postscope.indexing.types import Point
from postscope.migrations.collections import layouts
from postscope.migrations.collections.layouts import LAYOUT, upgrade_collection


def test_a_new_collection_has_the_fields_that_the_pipeline_writes() -> None:
    made: list[tuple[str, int, dict[str, str]]] = []

    class Recording:
        def create(self, collection: str, dim: int, fields: dict[str, str]) -> None:
            made.append((collection, dim, dict(fields)))

    assert upgrade_collection(Recording(), "posts-a", 4) == LAYOUT
    assert {call[:2] for call in made} == {("posts-a", 4)}
    assert {field: kind for _, _, fields in made for field, kind in fields.items()} == PAYLOAD_FIELDS


def test_a_collection_of_the_first_layout_gets_the_labels_and_keeps_its_points(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    layouts.STEPS[0](store, "posts-a", 4)
    store.upsert("posts-a", [Point(UUID(int=1), payload={"labels": ["news@1/sport"]})])
    assert upgrade_collection(store, "posts-a", 4, layout=1) == LAYOUT
    assert store.facet("posts-a", "labels") == [("news@1/sport", 1)]
    store.close()
    again = EdgeStore(tmp_path)
    assert again.facet("posts-a", "labels") == [("news@1/sport", 1)]
    again.close()


def test_a_collection_that_knew_no_topics_counts_them_after_an_upgrade(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    for step in layouts.STEPS[:2]:
        step(store, "posts-a", 4)
    store.upsert("posts-a", [Point(UUID(int=1), payload={"topics": ["one", "part"]}), Point(UUID(int=2))])
    assert upgrade_collection(store, "posts-a", 4, layout=2) == LAYOUT
    assert store.facet("posts-a", "topics") == [("one", 1), ("part", 1)]
    store.close()


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
