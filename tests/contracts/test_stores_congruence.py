"""One script, made by chance from a seed, on two stores: whatever is asked, the answers are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from postscope.indexing.stores.base import DenseQuery, SparseQuery, VectorStore
from postscope.indexing.stores.edge import EdgeStore
from postscope.indexing.stores.qdrant import QdrantStore
from postscope.indexing.types import AnyOf, Filter, HasId, InRange, SparseVector
from tests.contracts.stores import (
    DIM,
    FIELDS,
    IDS,
    SERVER,
    SOURCES,
    TAGS,
    random_payload,
    random_point,
    random_vector,
)

# The local mode says of itself that it scans and has no payload indexes.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect", "ignore:Local mode performs")

NAMES = ("congruence-a", "congruence-b")
ALIAS = "congruence-live"
Rng = np.random.Generator


@pytest.fixture(params=[3, 14, 159])
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[VectorStore, VectorStore]]:
    pair = EdgeStore(tmp_path), QdrantStore(SERVER) if SERVER else QdrantStore.local()
    for store in pair:
        for name in NAMES:
            store.drop(name)
            store.create(name, DIM, FIELDS)
        store.set_alias(ALIAS, NAMES[0])
    yield pair
    for store in pair:
        for name in NAMES:
            store.drop(name)
        store.close()


def some_ids(rng: Rng) -> list:
    return [IDS[i] for i in rng.integers(len(IDS), size=rng.integers(1, 6))]


def some_filter(rng: Rng) -> Filter | None:
    conditions = [
        AnyOf("source", (SOURCES[rng.integers(len(SOURCES))], SOURCES[0])),
        AnyOf("tags", (TAGS[rng.integers(len(TAGS))],)),
        AnyOf("flagged", (bool(rng.integers(2)),)),
        InRange("likes", gte=int(rng.integers(-3, 2)), lt=3),
        InRange("score", gt=-0.5),
        InRange("created_at", lte=1_700_000_000 + int(rng.integers(10))),
        HasId(tuple(some_ids(rng))),
    ]
    picked = [conditions[i] for i in rng.integers(len(conditions), size=3)]
    shapes = (None, Filter(must=(picked[0],)), Filter(should=tuple(picked)), Filter(must_not=(picked[0],)))
    return shapes[rng.integers(len(shapes))]


def some_query(rng: Rng) -> DenseQuery | SparseQuery:
    using = ("post", "text", "media", "keywords")[rng.integers(4)]
    if using == "keywords":
        return SparseQuery(SparseVector((int(rng.integers(12)),), (1.0,)))
    return DenseQuery(random_vector(rng), using)


def write(rng: Rng) -> Callable[[VectorStore], object]:
    points = [random_point(rng, id) for id in some_ids(rng)]
    payloads = {id: random_payload(rng) for id in some_ids(rng)}
    ids = some_ids(rng)
    target = NAMES[rng.integers(2)]
    writes: list[Callable[[VectorStore], object]] = [
        lambda s: s.upsert(ALIAS, points),
        lambda s: s.upsert(target, points),
        lambda s: s.upsert(target, points),
        lambda s: s.set_payload(target, payloads),
        lambda s: s.delete(target, ids),
        lambda s: s.set_alias(ALIAS, target),
    ]
    return writes[rng.integers(len(writes))]


def read(rng: Rng) -> Callable[[VectorStore], object]:
    queries, filter = [some_query(rng) for _ in range(3)], some_filter(rng)
    limit = int(rng.integers(1, 12))
    ids = some_ids(rng)
    reads: list[Callable[[VectorStore], object]] = [
        lambda s: ranked(queries[0], s.query(ALIAS, queries[0], filter=filter, limit=limit, with_payload=True)),
        lambda s: [
            ranked(q, a) for q, a in zip(queries, s.query_many(ALIAS, queries, filter=filter, limit=limit), strict=True)
        ],
        lambda s: [(x.id, x.payload, shapes(x)) for x in s.retrieve(ALIAS, ids)],
        lambda s: [[x.id for x in page] for page in s.scroll(ALIAS, filter=filter, batch=5)],
        lambda s: s.count(ALIAS, filter=filter),
        lambda s: s.facet(ALIAS, "tags", filter=filter, limit=3),
        lambda s: (s.resolve(ALIAS), s.resolve("congruence-none")),
    ]
    return reads[rng.integers(len(reads))]


def ranked(query: DenseQuery | SparseQuery, matches: list) -> object:
    """What the two must agree on.

    Keywords: the ids. The engine's term frequencies count deleted points until its index is next built, the
    local mode's do not (its source says so), hence one term a query and no scores.

    Vectors: scores, rounded. Engines that add up in another order differ in the last digit, so where
    scores are that close the order among them, and who of them comes under the limit, is each engine's own.
    """
    if isinstance(query, SparseQuery):
        return [match.id.int for match in matches]
    groups: dict[float, list] = {}
    for match in matches:
        groups.setdefault(round(match.score, 4), []).append((match.id.int, repr(sorted(match.payload))))
    last = round(matches[-1].score, 4) if matches else None
    return {score: len(g) if score == last else sorted(g) for score, g in groups.items()}


def shapes(stored: object) -> list:
    vectors = {**stored.dense, **stored.multi}
    return sorted((name, vector.shape, np.round(vector, 3).tolist()) for name, vector in vectors.items())


def test_the_same_script_gives_the_same_answers(stores: tuple[VectorStore, VectorStore], seed: int) -> None:
    rng = np.random.default_rng(seed)
    asked = 0
    for step in range(400):
        if rng.random() < 0.4:
            change = write(rng)
            for store in stores:
                change(store)
        else:
            question = read(rng)
            ours, theirs = (question(store) for store in stores)
            assert ours == theirs, f"seed {seed}, step {step}"
            asked += bool(ours)
    assert asked > 100, "the script must ask something that has answers"
