"""Every ``VectorStore`` passes this suite, as ``base.VectorStore`` promises: searching and reading."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from postscope.indexing.stores.base import (
    DenseQuery,
    SparseQuery,
    TermQuery,
    VectorStore,
    WrongDimension,
)
from postscope.indexing.stores.layout import field_path
from postscope.indexing.types import AnyOf, Filter, HasId, InRange, SparseVector
from tests.contracts.stores import (
    DIM,
    IDS,
    TEXT,
    at,
    filters,
    ids,
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
def test_ties_are_ordered_by_id_also_at_the_limit(store: VectorStore, posts: str, using: str, limit: int) -> None:
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
    assert ids(store.query(posts, TEXT, min_score=float(np.nextafter(np.float32(second), np.float32(2))))) == [1]
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


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
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
    whole = point(1, text=unit(1, 2, 3), dense={"post": unit(3, 1)}, multi={"media": rows(unit(1), unit(5, 6))})
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


def test_a_term_is_answered_by_one_point_whatever_the_filter_and_ties(store: VectorStore, posts: str) -> None:
    weights = {1: 1.0, 2: 2.0, 3: 2.0}
    points = [point(n, sparse={"keywords": terms(t7=w)}, payload={"source": f"s{n}"}) for n, w in weights.items()]
    store.upsert(posts, [*points, point(4, sparse={"keywords": terms(t8=1.0)})])
    asked = [TermQuery(7), SparseQuery(terms(t7=1.0)), TermQuery(9)]
    typical, all_of_them, none = store.query_many(posts, asked, filter=Filter(must=(AnyOf("source", ("s1",)),)))
    assert [match.id in (uid(2), uid(3)) for match in typical] == [True]
    assert ids(all_of_them) == [1]
    assert none == []
    assert typical[0].score == pytest.approx(2.0 * all_of_them[0].score, rel=1e-5)
    assert store.query_many(posts, [TermQuery(7)], limit=0) == [[]]
