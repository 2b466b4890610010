"""What the store suites share: points made by hand or by chance, and filters in plain Python."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from hypothesis import strategies as st

from postscope.indexing.stores.base import DenseQuery, FieldKind
from postscope.indexing.types import (
    AnyOf,
    Condition,
    Filter,
    HasId,
    InRange,
    Payload,
    Point,
    SparseVector,
    Vector,
    Vectors,
)

DIM = 8
FIELDS: dict[str, FieldKind] = {
    "source": "keyword",
    "tags": "keyword",
    "created_at": "integer",
    "likes": "integer",
    "score": "float",
    "flagged": "bool",
}


SERVER = os.environ.get("POSTSCOPE_QDRANT_URL")
"""Where a real server is, if there is one; its contract-* and congruence-* collections are dropped."""


def uid(n: int) -> UUID:
    return UUID(int=n)


def unit(*values: float) -> Vector:
    """A unit vector of DIM dimensions whose first values are in the proportion given."""
    vector = np.zeros(DIM, np.float32)
    vector[: len(values)] = values
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def rows(*vectors: Vector) -> Vectors:
    return np.stack(vectors)


def at(cosine: float) -> Vector:
    """A unit vector with this cosine to unit(1)."""
    return unit(cosine, float(np.sqrt(1 - cosine * cosine)))


def point(n: int, *, text: Vector | None = None, payload: Payload | None = None, **parts: Any) -> Point:
    dense = {} if text is None else {"text": text}
    return Point(uid(n), dense=dense | parts.pop("dense", {}), payload=payload or {}, **parts)


def terms(**weights: float) -> SparseVector:
    """terms(t3=1.0): term 3 with weight 1."""
    pairs = sorted((int(name[1:]), weight) for name, weight in weights.items())
    return SparseVector(tuple(i for i, _ in pairs), tuple(w for _, w in pairs))


def ids(matches: Sequence[Any]) -> list[int]:
    return [match.id.int for match in matches]


TEXT = DenseQuery(unit(1), "text")


# --- filters, in plain Python ------------------------------------------------------------------------


def keeps(filter: Filter, id: UUID, payload: Payload) -> bool:
    """Whether a filter keeps a point: the docstrings of ``types`` word by word."""
    return (
        all(holds(c, id, payload) for c in filter.must)
        and (not filter.should or any(holds(c, id, payload) for c in filter.should))
        and not any(holds(c, id, payload) for c in filter.must_not)
    )


def holds(condition: Condition, id: UUID, payload: Payload) -> bool:
    match condition:
        case AnyOf(field, values):
            return any(same(have, want) for have in _values(payload, field) for want in values)
        case InRange():
            return _in_range(condition, _values(payload, condition.field))
        case HasId(ids):
            return id in ids
        case Filter():
            return keeps(condition, id, payload)


def same(have: object, want: object) -> bool:
    return type(have) is type(want) and have == want


def _values(payload: Payload, field: str) -> list[Any]:
    value: Any = payload
    for key in field.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _in_range(condition: InRange, values: Sequence[Any]) -> bool:
    bounds = (condition.gte, condition.lte, condition.gt, condition.lt)
    if all(bound is None for bound in bounds):
        return bool(values)
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return any(_within(condition, number) for number in numbers)


def _within(c: InRange, number: float) -> bool:
    return (
        (c.gte is None or number >= c.gte)
        and (c.lte is None or number <= c.lte)
        and (c.gt is None or number > c.gt)
        and (c.lt is None or number < c.lt)
    )


# --- points and filters by chance --------------------------------------------------------------------

SOURCES = ("x", "mastodon", "bluesky", "ütz", "東京")
TAGS = ("red", "green", "blue", "#café", "مرحبا")
IDS = [uid(n) for n in range(1, 41)]


def random_payload(rng: np.random.Generator) -> Payload:
    """Each field is there three times out of four."""
    values: Mapping[str, Any] = {
        "source": SOURCES[rng.integers(len(SOURCES))],
        "tags": [TAGS[i] for i in rng.integers(len(TAGS), size=rng.integers(0, 4))],
        "created_at": int(rng.integers(1_700_000_000, 1_700_000_010)),
        "likes": int(rng.integers(-3, 4)),
        "score": float(rng.integers(-4, 5)) / 2,
        "flagged": bool(rng.integers(2)),
        "metadata": {"brand": TAGS[rng.integers(len(TAGS))], "size": int(rng.integers(4))},
    }
    return {name: value for name, value in values.items() if rng.random() < 0.75}


def random_vector(rng: np.random.Generator) -> Vector:
    """One of a small set of directions, so that scores tie often."""
    return unit(*rng.integers(-1, 2, size=DIM - 1), 1)


def random_point(rng: np.random.Generator, id: UUID) -> Point:
    """Each part is there four times out of five."""
    has = rng.random(4) < 0.8
    term_ids = np.unique(rng.integers(0, 12, size=rng.integers(1, 5)))
    return Point(
        id,
        dense={name: random_vector(rng) for name, there in zip(("post", "text"), has, strict=False) if there},
        multi={"media": np.stack([random_vector(rng) for _ in range(rng.integers(1, 4))])} if has[2] else {},
        sparse={"keywords": SparseVector(tuple(map(int, term_ids)), (1.0,) * len(term_ids))} if has[3] else {},
        payload=random_payload(rng),
    )


_numbers = st.one_of(st.none(), st.integers(-4, 4), st.sampled_from([-1.5, -0.5, 0.25, 0.5, 1.5]))
_leaves = st.one_of(
    st.builds(AnyOf, st.just("source"), st.lists(st.sampled_from((*SOURCES, "nobody")), max_size=3).map(tuple)),
    st.builds(AnyOf, st.just("tags"), st.lists(st.sampled_from((*TAGS, "none")), max_size=3).map(tuple)),
    st.builds(AnyOf, st.just("likes"), st.lists(st.integers(-4, 4), max_size=3).map(tuple)),
    st.builds(AnyOf, st.just("flagged"), st.lists(st.booleans(), max_size=2).map(tuple)),
    st.builds(AnyOf, st.just("metadata.brand"), st.lists(st.sampled_from(TAGS), max_size=3).map(tuple)),
    st.builds(AnyOf, st.just("nowhere"), st.just(("x", 1))),
    st.builds(InRange, st.sampled_from(["likes", "score", "metadata.size"]), _numbers, _numbers, _numbers, _numbers),
    st.builds(InRange, st.sampled_from(["source", "tags", "flagged", "nowhere"])),
    st.builds(HasId, st.lists(st.sampled_from(IDS), max_size=8).map(tuple)),
)


def _filters(conditions: st.SearchStrategy[Condition]) -> st.SearchStrategy[Filter]:
    group = st.lists(conditions, max_size=2).map(tuple)
    return st.builds(Filter, must=group, should=group, must_not=group)


filters: st.SearchStrategy[Filter] = _filters(st.recursive(_leaves, _filters, max_leaves=4))
