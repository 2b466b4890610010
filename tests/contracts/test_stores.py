"""Every ``VectorStore`` passes this suite, as ``base.VectorStore`` promises: collections and writing."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import numpy as np
import pytest

from postscope.indexing.stores.base import (
    CollectionMissing,
    DenseQuery,
    SparseQuery,
    StoreUnavailable,
    VectorStore,
    WrongDimension,
)
from postscope.indexing.stores.layout import MAX_PAYLOAD_DEPTH
from postscope.indexing.stores.qdrant import QdrantStore
from postscope.indexing.types import AnyOf, Filter, InRange, SparseVector
from tests.contracts.stores import (
    DIM,
    FIELDS,
    TEXT,
    ids,
    point,
    terms,
    uid,
    unit,
)

# The local mode says of itself that it scans and has no payload indexes.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect", "ignore:Local mode performs")


# --- collections and aliases -------------------------------------------------------------------------


def test_create_again_with_the_same_dimension_keeps_the_points(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1, text=unit(1))])
    store.create(posts, DIM, FIELDS)
    assert store.count(posts) == 1


def test_create_again_with_a_new_field_indexes_what_is_there(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1, payload={"topic": "x"})])
    store.create(posts, DIM, {"topic": "keyword"})
    store.upsert(posts, [point(2, payload={"topic": "x"})])
    assert store.facet(posts, "topic") == [("x", 2)]
    assert store.facet(posts, "source") == []


def test_create_again_with_another_dimension(store: VectorStore, posts: str) -> None:
    with pytest.raises(WrongDimension, match=posts):
        store.create(posts, DIM + 1, FIELDS)


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "x" * 201, "-a"])
def test_a_name_that_cannot_be_one(store: VectorStore, name: str) -> None:
    with pytest.raises(ValueError, match="collection name"):
        store.create(name, DIM, {})


def test_collections_are_sorted_and_leave_out_aliases(store: VectorStore, posts: str) -> None:
    store.create("contract-0-first", DIM, {})
    store.set_alias("contract-alias", posts)
    mine = [name for name in store.collections() if name.startswith("contract-")]
    assert mine == ["contract-0-first", posts]


def test_drop_takes_the_aliases_along(store: VectorStore, posts: str) -> None:
    store.set_alias("contract-alias", posts)
    store.drop(posts)
    assert posts not in store.collections()
    assert store.resolve("contract-alias") is None
    assert store.resolve(posts) is None


def test_drop_of_a_missing_one_or_an_alias_is_silent(store: VectorStore, posts: str) -> None:
    store.set_alias("contract-alias", posts)
    store.drop("contract-nothing")
    store.drop("contract-alias")
    assert store.resolve("contract-alias") == posts


def test_drop_and_create_starts_empty(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1, text=unit(1))])
    store.drop(posts)
    store.create(posts, DIM + 1, FIELDS)
    assert store.count(posts) == 0


def test_alias_switch(store: VectorStore, posts: str) -> None:
    store.create("contract-other", DIM, FIELDS)
    store.upsert(posts, [point(1, text=unit(1))])
    store.upsert("contract-other", [point(2, text=unit(1))])
    store.set_alias("contract-alias", posts)
    assert ids(store.query("contract-alias", TEXT)) == [1]
    store.set_alias("contract-alias", "contract-other")
    assert ids(store.query("contract-alias", TEXT)) == [2]
    assert store.resolve("contract-alias") == "contract-other"
    assert store.resolve(posts) == posts


def test_an_alias_serves_wherever_a_name_is_read(store: VectorStore, posts: str) -> None:
    store.set_alias("contract-alias", posts)
    store.upsert("contract-alias", [point(1, text=unit(1), payload={"source": "x"}), point(2)])
    store.set_payload("contract-alias", {uid(1): {"likes": 3}})
    store.delete("contract-alias", [uid(2)])
    assert ids(store.query_many("contract-alias", [TEXT])[0]) == [1]
    assert store.retrieve("contract-alias", [uid(1)])[0].payload == {"source": "x", "likes": 3}
    assert [len(page) for page in store.scroll("contract-alias")] == [1]
    assert store.count("contract-alias") == 1
    assert store.facet("contract-alias", "source") == [("x", 1)]


def test_an_alias_after_the_dimension_behind_it_changed(store: VectorStore, posts: str) -> None:
    store.create("contract-wider", DIM + 1, FIELDS)
    store.set_alias("contract-alias", posts)
    store.upsert("contract-alias", [point(1, text=unit(1))])
    store.set_alias("contract-alias", "contract-wider")
    wide = np.eye(DIM + 1, dtype=np.float32)[0]
    store.upsert("contract-alias", [point(2, text=wide)])
    assert ids(store.query("contract-alias", DenseQuery(wide, "text"))) == [2]
    with pytest.raises(WrongDimension):
        store.query("contract-alias", TEXT)


def test_an_alias_cannot_be_a_collections_name_nor_the_other_way(store: VectorStore, posts: str) -> None:
    store.create("contract-other", DIM, FIELDS)
    with pytest.raises(ValueError, match="is a collection"):
        store.set_alias("contract-other", posts)
    store.set_alias("contract-alias", posts)
    with pytest.raises(ValueError, match="is an alias"):
        store.create("contract-alias", DIM, FIELDS)


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.set_alias("contract-alias", "contract-no"),
        lambda s: s.upsert("contract-no", [point(1)]),
        lambda s: s.upsert("contract-no", []),
        lambda s: s.set_payload("contract-no", {uid(1): {"likes": 1}}),
        lambda s: s.delete("contract-no", [uid(1)]),
        lambda s: s.query("contract-no", TEXT),
        lambda s: s.query("contract-no", TEXT, limit=0),
        lambda s: s.query_many("contract-no", []),
        lambda s: s.retrieve("contract-no", [uid(1)]),
        lambda s: s.scroll("contract-no"),
        lambda s: s.count("contract-no"),
        lambda s: s.facet("contract-no", "source"),
    ],
)
def test_a_missing_collection(store: VectorStore, call: Callable[[VectorStore], object]) -> None:
    with pytest.raises(CollectionMissing, match="contract-no"):
        call(store)


# --- writing -----------------------------------------------------------------------------------------


def test_an_upsert_replaces_the_whole_point(store: VectorStore, posts: str) -> None:
    full = point(1, text=unit(1), dense={"post": unit(0, 1)}, payload={"source": "x", "likes": 1})
    store.upsert(posts, [full])
    store.upsert(posts, [point(1, text=unit(0, 1), payload={"likes": 2})])
    (stored,) = store.retrieve(posts, [uid(1)])
    assert stored.payload == {"likes": 2}
    assert set(stored.dense) == {"text"}
    assert np.allclose(stored.dense["text"], unit(0, 1))


def test_of_two_points_with_one_id_the_later_wins(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1, payload={"likes": 1}), point(2), point(1, payload={"likes": 2})])
    assert store.count(posts) == 2
    assert store.retrieve(posts, [uid(1)])[0].payload == {"likes": 2}


def test_nothing_to_write(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [])
    store.set_payload(posts, {})
    store.delete(posts, [])
    assert store.count(posts) == 0


def test_more_points_than_fit_one_slice(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(n, text=unit(1, n)) for n in range(1, 701)])
    assert store.count(posts) == 700
    store.delete(posts, [uid(n) for n in range(1, 601)])
    assert store.count(posts) == 100


def test_a_point_without_any_vector(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1, payload={"source": "x"}), point(2, text=unit(1))])
    assert ids(store.query(posts, TEXT)) == [2]
    (stored,) = store.retrieve(posts, [uid(1)])
    assert stored.dense == {}
    assert stored.multi == {}
    assert stored.payload == {"source": "x"}


def test_a_point_with_keywords_only(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1, sparse={"keywords": terms(t1=1.0)}), point(2, text=unit(1))])
    assert ids(store.query(posts, TEXT)) == [2]
    assert ids(store.query(posts, SparseQuery(terms(t1=1.0)))) == [1]


def test_empty_parts_are_absent_parts(store: VectorStore, posts: str) -> None:
    empty = {"media": np.zeros((0, DIM), np.float32)}
    store.upsert(posts, [point(1, text=unit(1), multi=empty, sparse={"keywords": SparseVector((), ())})])
    assert store.retrieve(posts, [uid(1)])[0].multi == {}
    assert store.query(posts, DenseQuery(unit(1), "media")) == []


@pytest.mark.parametrize(
    "bad",
    [
        {"text": np.ones(DIM + 1, np.float32)},
        {"text": np.ones(0, np.float32)},
        {"dense": {"post": np.ones(1, np.float32)}},
        {"multi": {"media": np.ones((2, DIM - 1), np.float32)}},
    ],
)
def test_a_wrong_dimension_writes_nothing_of_the_batch(store: VectorStore, posts: str, bad: dict) -> None:
    with pytest.raises(WrongDimension, match="dimensions"):
        store.upsert(posts, [point(1, text=unit(1)), point(2, **bad)])
    assert store.count(posts) == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"text": np.full(DIM, np.nan, np.float32)},
        {"text": np.full(DIM, np.inf, np.float32)},
        {"text": np.ones((1, DIM), np.float32)},
        {"multi": {"media": np.ones(DIM, np.float32)}},
        {"dense": {"image": unit(1)}},
        {"sparse": {"words": terms(t1=1.0)}},
    ],
)
def test_what_is_no_vector_is_refused(store: VectorStore, posts: str, bad: dict) -> None:
    with pytest.raises(ValueError, match="vector"):
        store.upsert(posts, [point(1, **bad)])
    assert store.count(posts) == 0


def test_set_payload_overwrites_the_named_keys(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(n, text=unit(1), payload={"source": "x", "likes": n}) for n in (1, 2)])
    store.set_payload(posts, {uid(1): {"likes": 9, "flagged": True}, uid(2): {}, uid(3): {"likes": 1}})
    first, second = store.retrieve(posts, [uid(1), uid(2)])
    assert first.payload == {"source": "x", "likes": 9, "flagged": True}
    assert second.payload == {"source": "x", "likes": 2}
    assert np.allclose(first.dense["text"], unit(1))
    assert store.count(posts) == 2
    assert store.count(posts, filter=Filter(must=(InRange("likes", gte=9),))) == 1


def test_a_payload_that_could_not_be_read_back_is_refused(store: VectorStore, posts: str) -> None:
    deep: Any = "bottom"
    for _ in range(200):
        deep = [{"in": deep}]
    store.upsert(posts, [point(1, text=unit(1), payload={"source": "x"})])
    with pytest.raises(ValueError, match="deep"):
        store.upsert(posts, [point(2, text=unit(1)), point(3, text=unit(1), payload={"metadata": deep})])
    with pytest.raises(ValueError, match="deep"):
        store.set_payload(posts, {uid(1): {"metadata": deep}})
    assert store.count(posts, filter=Filter(must=(AnyOf("source", ("x",)),))) == 1
    assert [stored.payload for stored in store.retrieve(posts, [uid(1), uid(2), uid(3)])] == [{"source": "x"}]


def test_a_payload_of_the_depth_that_is_allowed_comes_back(store: VectorStore, posts: str) -> None:
    deep: Any = "bottom"
    for _ in range(MAX_PAYLOAD_DEPTH - 1):
        deep = [deep]
    store.upsert(posts, [point(1, payload={"metadata": deep})])
    assert store.retrieve(posts, [uid(1)])[0].payload == {"metadata": deep}


def test_deleting_a_missing_id_is_silent(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1)])
    store.delete(posts, [uid(7), uid(1), uid(1)])
    store.delete(posts, [uid(1)])
    assert store.count(posts) == 0


def test_unicode_and_nested_payload_come_back_as_they_were(store: VectorStore, posts: str) -> None:
    payload = {
        "source": "東京🗼",
        "tags": ["مرحبا", "#café", "a\u0000b", ""],
        "metadata": {"ключ": {"deep": [1, 2.5, None, True]}},
        "nothing": None,
        "empty": [],
        "big": 2**53,
    }
    store.upsert(posts, [point(1, payload=payload)])
    assert store.retrieve(posts, [uid(1)])[0].payload == payload


# --- life --------------------------------------------------------------------------------------------


def test_a_closed_store_says_so(store: VectorStore, posts: str) -> None:
    store.ready()
    pages = store.scroll(posts)
    store.close()
    store.close()
    for call in (
        store.ready,
        lambda: store.query(posts, TEXT),
        lambda: store.upsert(posts, [point(1)]),
        lambda: store.collections(),
        lambda: next(pages),
    ):
        with pytest.raises(StoreUnavailable):
            call()


def test_threads_may_share_a_store(store_kind: str, store: VectorStore, posts: str) -> None:
    if store_kind == "qdrant-local":
        pytest.skip("the client's local mode is documented for one thread; production code does not use it")
    failures: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for n in range(first, first + 50):
                store.upsert(posts, [point(n, text=unit(1, n))])
                assert store.query(posts, TEXT, limit=1)
                store.delete(posts, [uid(n)]) if n % 2 else store.set_payload(posts, {uid(n): {"likes": n}})
        except BaseException as error:
            failures.append(error)

    threads = [Thread(target=work, args=(1 + 100 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.count(posts) == 100


def test_a_server_that_is_not_there() -> None:
    store = QdrantStore("http://127.0.0.1:9", timeout=1)
    with pytest.raises(StoreUnavailable):
        store.ready()
    with pytest.raises(StoreUnavailable):
        store.query("contract-posts", TEXT)
