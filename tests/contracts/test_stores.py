"""Every ``VectorStore`` passes this suite: it is what ``base.VectorStore`` promises."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from postscope.indexing.stores.base import (
    CollectionMissing,
    DenseQuery,
    SparseQuery,
    StoreUnavailable,
    VectorStore,
    WrongDimension,
)
from postscope.indexing.stores.edge import EdgeStore
from postscope.indexing.stores.layout import field_path
from postscope.indexing.stores.qdrant import QdrantStore
from postscope.indexing.types import AnyOf, Filter, HasId, InRange, SparseVector
from tests.contracts.stores import (
    DIM,
    FIELDS,
    IDS,
    at,
    filters,
    keeps,
    point,
    random_point,
    rows,
    terms,
    uid,
    unit,
)

# The local mode says of itself that it scans and has no payload indexes.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect", "ignore:Local mode performs")

SERVER = os.environ.get("POSTSCOPE_QDRANT_URL")


@pytest.fixture(
    params=[
        "edge",
        "qdrant-local",
        pytest.param(
            "qdrant", marks=pytest.mark.skipif(not SERVER, reason="POSTSCOPE_QDRANT_URL is not set")
        ),
    ]
)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, tmp_path: Path) -> Iterator[VectorStore]:
    opened: VectorStore
    match kind:
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


def ids(matches: list) -> list[int]:
    return [match.id.int for match in matches]


TEXT = DenseQuery(unit(1), "text")


# --- collections and aliases -------------------------------------------------------------------------


def test_create_again_with_the_same_dimension_keeps_the_points(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1, text=unit(1))])
    store.create(posts, DIM, FIELDS)
    assert store.count(posts) == 1


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


# --- nearest -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", [TEXT, DenseQuery(unit(1), "post"), DenseQuery(unit(1), "media"), SparseQuery(terms(t1=1.0))]
)
def test_an_empty_collection_has_no_answers(store: VectorStore, posts: str, query: object) -> None:
    assert store.query(posts, query) == []
    assert store.query_many(posts, [query, query]) == [[], []]
    assert list(store.scroll(posts)) == []
    assert store.facet(posts, "source") == []
    assert store.retrieve(posts, [uid(1)]) == []
    assert store.count(posts) == 0


@pytest.mark.parametrize("exact", [True, False])
def test_cosine_higher_is_better(store: VectorStore, posts: str, exact: bool) -> None:
    store.upsert(posts, [point(n, text=at(c)) for n, c in enumerate((0.0, 0.9, -0.5, 0.5), start=1)])
    found = store.query(posts, TEXT, exact=exact)
    assert ids(found) == [2, 4, 1, 3]
    assert [m.score for m in found] == pytest.approx([0.9, 0.5, 0.0, -0.5], abs=1e-6)


@pytest.mark.parametrize("limit", [0, 1, 3, 4, 5, 100])
def test_the_limit_is_honoured(store: VectorStore, posts: str, limit: int) -> None:
    store.upsert(posts, [point(n, text=unit(1, n)) for n in range(1, 5)])
    assert ids(store.query(posts, TEXT, limit=limit)) == [1, 2, 3, 4][:limit]
    assert ids(store.query_many(posts, [TEXT], limit=limit)[0]) == [1, 2, 3, 4][:limit]


@pytest.mark.parametrize("limit", [1, 5, 39, 40, 41])
@pytest.mark.parametrize("using", ["text", "media", "keywords"])
def test_ties_are_ordered_by_id_also_at_the_limit(
    store: VectorStore, posts: str, using: str, limit: int
) -> None:
    order = np.random.default_rng(0).permutation(np.arange(1, 41))
    same = {"text": unit(1), "multi": {"media": rows(unit(1))}, "sparse": {"keywords": terms(t1=1.0)}}
    for n in order:
        store.upsert(posts, [point(int(n), **same)])
    query = SparseQuery(terms(t1=1.0)) if using == "keywords" else DenseQuery(unit(1), using)
    expected = list(range(1, 41))[:limit]
    assert ids(store.query(posts, query, limit=limit)) == expected
    assert ids(store.query_many(posts, [query], limit=limit)[0]) == expected


def test_min_score_includes_itself(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1, text=unit(1)), point(2, text=at(0.7)), point(3, text=at(0.1))])
    assert ids(store.query(posts, TEXT, min_score=1.0)) == [1]
    second = store.query(posts, TEXT)[1].score
    assert ids(store.query(posts, TEXT, min_score=second)) == [1, 2]
    assert ids(
        store.query(posts, TEXT, min_score=float(np.nextafter(np.float32(second), np.float32(2))))
    ) == [1]
    assert store.query(posts, TEXT, min_score=1.01) == []


def test_a_multivector_counts_by_its_best_row(store: VectorStore, posts: str) -> None:
    store.upsert(
        posts,
        [
            point(1, multi={"media": rows(at(0.2), at(0.6), at(-1.0))}),
            point(2, multi={"media": rows(at(0.5))}),
            point(3, text=unit(1)),
        ],
    )
    found = store.query(posts, DenseQuery(unit(1), "media"))
    assert ids(found) == [1, 2]
    assert [m.score for m in found] == pytest.approx([0.6, 0.5], abs=1e-6)


def test_keywords_are_weighted_by_how_rare_they_are(store: VectorStore, posts: str) -> None:
    common = [point(n, sparse={"keywords": terms(t1=1.0)}) for n in range(2, 12)]
    store.upsert(posts, [point(1, sparse={"keywords": terms(t1=1.0, t2=1.0)}), *common])
    found = store.query(posts, SparseQuery(terms(t1=1.0, t2=1.0)), limit=20)
    assert ids(found) == list(range(1, 12))
    rare, often = found[0].score - found[1].score, found[1].score
    assert rare == pytest.approx(np.log(1 + (11 - 1 + 0.5) / (1 + 0.5)), rel=1e-4)
    assert often == pytest.approx(np.log(1 + (11 - 11 + 0.5) / (11 + 0.5)), rel=1e-4)
    weighted = store.query(posts, SparseQuery(terms(t2=3.0)))
    assert ids(weighted) == [1]
    assert weighted[0].score == pytest.approx(3 * rare, rel=1e-4)


def test_keywords_nobody_has_and_no_keywords(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1, sparse={"keywords": terms(t1=1.0, t4294967295=2.0)})])
    assert store.query(posts, SparseQuery(terms(t9=1.0))) == []
    assert store.query(posts, SparseQuery(SparseVector((), ()))) == []
    assert ids(store.query(posts, SparseQuery(terms(t4294967295=1.0)))) == [1]


def test_query_many_keeps_the_order_of_the_queries(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(n, text=np.eye(DIM, dtype=np.float32)[n - 1]) for n in range(1, DIM + 1)])
    queries = [DenseQuery(np.eye(DIM, dtype=np.float32)[n], "text") for n in range(DIM)]
    empty = SparseQuery(SparseVector((), ()))
    found = store.query_many(posts, [*queries, empty, TEXT], limit=1, exact=True)
    assert [ids(answer) for answer in found] == [[n] for n in range(1, DIM + 1)] + [[], [1]]
    only = Filter(must=(HasId((uid(3),)),))
    assert [ids(a) for a in store.query_many(posts, queries[:2], filter=only)] == [[3], [3]]


def test_payload_comes_along_only_when_asked(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1, text=unit(1), payload={"source": "x"})])
    assert store.query(posts, TEXT)[0].payload == {}
    assert store.query(posts, TEXT, with_payload=True)[0].payload == {"source": "x"}


@pytest.mark.parametrize("using", ["text", "media"])
def test_a_query_of_the_wrong_dimension(store: VectorStore, posts: str, using: str) -> None:
    bad = DenseQuery(np.ones(DIM - 1, np.float32), using)
    with pytest.raises(WrongDimension):
        store.query(posts, bad)
    with pytest.raises(WrongDimension):
        store.query_many(posts, [TEXT, bad])


@pytest.mark.parametrize(
    "bad",
    [
        DenseQuery(unit(1), "image"),
        DenseQuery(np.full(DIM, np.nan, np.float32), "text"),
        DenseQuery(np.ones((1, DIM), np.float32), "text"),
        SparseQuery(terms(t1=1.0), "text"),
    ],
)
def test_what_is_no_query_is_refused(store: VectorStore, posts: str, bad: object) -> None:
    with pytest.raises(ValueError):
        store.query(posts, bad)


# --- filters -----------------------------------------------------------------------------------------


@pytest.fixture
def mixed(store: VectorStore, posts: str) -> str:
    store.upsert(
        posts,
        [
            point(1, text=unit(1), payload={"source": "x", "tags": ["red", "blue"], "likes": 5}),
            point(2, text=unit(1), payload={"source": "y", "tags": ["red"], "likes": -5, "flagged": True}),
            point(3, text=unit(1), payload={"tags": [], "score": 0.5, "flagged": False}),
            point(4, text=unit(1), payload={"source": None, "metadata": {"my key": "ü", "n": 3}}),
        ],
    )
    return posts


@pytest.mark.parametrize(
    ("filter", "kept"),
    [
        (Filter(), [1, 2, 3, 4]),
        (Filter(must=(AnyOf("source", ()),)), []),
        (Filter(must_not=(AnyOf("source", ()),)), [1, 2, 3, 4]),
        (Filter(must_not=(AnyOf("source", ("x",)),)), [2, 3, 4]),
        (Filter(must_not=(AnyOf("nowhere", ("x",)),)), [1, 2, 3, 4]),
        (Filter(must=(AnyOf("tags", ("blue",)),)), [1]),
        (Filter(must=(AnyOf("tags", ("red", "green")),)), [1, 2]),
        (Filter(must=(AnyOf("tags", ("red",)), AnyOf("tags", ("blue",)))), [1]),
        (Filter(must=(AnyOf("flagged", (True,)),)), [2]),
        (Filter(must=(AnyOf("flagged", (False,)),)), [3]),
        (Filter(must=(AnyOf("flagged", (True, False)),)), [2, 3]),
        (Filter(must=(AnyOf("likes", (5, "5")),)), [1]),
        (Filter(must=(InRange("likes", gte=-5, lt=5),)), [2]),
        (Filter(must=(InRange("likes", gt=-5.5, lte=5.0),)), [1, 2]),
        (Filter(must=(InRange("likes", gt=4.5, lt=5.5),)), [1]),
        (Filter(must=(InRange("likes", gt=5),)), []),
        (Filter(must=(InRange("score", gte=0.5, lte=0.5),)), [3]),
        (Filter(must=(InRange("source"),)), [1, 2]),
        (Filter(must=(InRange("tags"),)), [1, 2]),
        (Filter(must_not=(InRange("likes"),)), [3, 4]),
        (Filter(must=(HasId((uid(2), uid(9))),)), [2]),
        (Filter(must=(HasId(()),)), []),
        (Filter(should=(AnyOf("source", ("x",)), InRange("score", gt=0))), [1, 3]),
        (Filter(must=(AnyOf("tags", ("red",)),), should=(AnyOf("source", ("y",)),)), [2]),
        (Filter(must_not=(Filter(must=(AnyOf("tags", ("red",)), AnyOf("source", ("x",)))),)), [2, 3, 4]),
        (Filter(must=(AnyOf(field_path("metadata", "my key"), ("ü",)),)), [4]),
        (Filter(must=(InRange("metadata.n", gte=3),)), [4]),
    ],
)
def test_filters(store: VectorStore, mixed: str, filter: Filter, kept: list[int]) -> None:
    assert ids(store.query(mixed, TEXT, filter=filter)) == kept
    assert ids(store.query(mixed, TEXT, filter=filter, exact=True)) == kept
    assert ids(store.query_many(mixed, [TEXT], filter=filter)[0]) == kept
    assert store.count(mixed, filter=filter) == len(kept)
    assert ids([s for page in store.scroll(mixed, filter=filter) for s in page]) == kept


def test_a_bound_that_is_not_finite(store: VectorStore, posts: str) -> None:
    with pytest.raises(ValueError, match="likes: bound gte is not finite"):
        store.count(posts, filter=Filter(must=(InRange("likes", gte=float("nan")),)))


def test_a_field_that_is_no_path(store: VectorStore, posts: str) -> None:
    with pytest.raises(ValueError, match="path"):
        store.count(posts, filter=Filter(must=(AnyOf("my key", ("x",)),)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filter=filters)
def test_any_filter_means_what_it_says(store: VectorStore, posts: str, filter: Filter) -> None:
    rng = np.random.default_rng(5)
    points = [random_point(rng, id) for id in IDS]
    if not store.count(posts):
        store.upsert(posts, points)
    kept = [p.id for p in points if keeps(filter, p.id, p.payload)]
    assert [s.id for page in store.scroll(posts, filter=filter) for s in page] == kept
    with_text = {p.id for p in points if "text" in p.dense}
    found = store.query(posts, TEXT, filter=filter, limit=len(points))
    assert sorted(m.id for m in found) == [id for id in kept if id in with_text]


# --- reading back ------------------------------------------------------------------------------------


def test_retrieve_in_the_order_asked(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(n, payload={"likes": n}) for n in range(1, 6)])
    asked = [uid(n) for n in (4, 9, 1, 4, 2)]
    assert ids(store.retrieve(posts, asked)) == [4, 1, 4, 2]
    assert store.retrieve(posts, []) == []


def test_vectors_come_back_as_they_were(store: VectorStore, posts: str) -> None:
    whole = point(
        1, text=unit(1, 2, 3), dense={"post": unit(3, 1)}, multi={"media": rows(unit(1), unit(5, 6))}
    )
    store.upsert(posts, [whole])
    (stored,) = store.retrieve(posts, [uid(1)])
    for name, vector in {**whole.dense, **whole.multi}.items():
        back = {**stored.dense, **stored.multi}[name]
        assert back.dtype == np.float32
        assert np.allclose(back, vector, atol=1e-6)
    (bare,) = store.retrieve(posts, [uid(1)], with_vectors=False)
    assert bare.dense == {}
    assert bare.multi == {}


@pytest.mark.parametrize("batch", [1, 7, 50, 51])
def test_scroll_is_complete_and_ordered(store: VectorStore, posts: str, batch: int) -> None:
    rng = np.random.default_rng(1)
    known = [UUID(bytes=rng.bytes(16)) for _ in range(50)]
    store.upsert(posts, [random_point(rng, id) for id in known])
    pages = list(store.scroll(posts, batch=batch, with_vectors=True))
    assert [s.id for page in pages for s in page] == sorted(known)
    assert all(0 < len(page) <= batch for page in pages)


def test_facets_by_count_then_value(store: VectorStore, posts: str) -> None:
    spread = {"b": 3, "a": 3, "é": 2, "c": 2, "z": 1}
    names = [name for name, count in spread.items() for _ in range(count)]
    store.upsert(posts, [point(n, payload={"source": name, "likes": n}) for n, name in enumerate(names, 1)])
    assert store.facet(posts, "source") == [("a", 3), ("b", 3), ("c", 2), ("é", 2), ("z", 1)]
    assert store.facet(posts, "source", limit=3) == [("a", 3), ("b", 3), ("c", 2)]
    assert store.facet(posts, "source", limit=0) == []
    assert store.facet(posts, "source", filter=Filter(must=(InRange("likes", gt=9),))) == [("c", 1), ("z", 1)]


def test_a_value_nobody_has_any_more_is_no_facet(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1, payload={"source": "a"}), point(2, payload={"source": "b"})])
    store.delete(posts, [uid(1)])
    assert store.facet(posts, "source") == [("b", 1)]
    assert store.facet(posts, "source", filter=Filter(must=(HasId((uid(1),)),))) == []


def test_a_list_counts_once_for_each_of_its_values(store: VectorStore, posts: str) -> None:
    store.upsert(posts, [point(1, payload={"tags": ["a", "b"]}), point(2, payload={"tags": ["b"]}), point(3)])
    assert store.facet(posts, "tags") == [("b", 2), ("a", 1)]


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


def test_threads_may_share_a_store(kind: str, store: VectorStore, posts: str) -> None:
    if kind == "qdrant-local":
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
