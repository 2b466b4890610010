"""What both engines agree on: names, index settings, and the checks made before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

import numpy as np

from postscope.indexing.stores.base import DENSE, MULTI, SPARSE, DenseQuery, Query, WrongDimension
from postscope.indexing.types import Payload, PayloadValue, Point, Vector, Vectors

HNSW_M = 24
"""Edges a node in the graph. More than the engine's 16: a filter that keeps half of the points cuts half."""
HNSW_EF_CONSTRUCT = 200
"""Candidates weighed for each node while the graph is built."""
HNSW_EF = 128
"""Candidates weighed by an approximate query. With the above: recall@10 of at least 0.98 under filters
(``tests/benchmarks/bench_stores.py`` measures it)."""
FULL_SCAN_KB = 10_000
"""Filters that keep fewer kilobytes of vectors than this are answered by an exact scan of what they keep."""
MAX_PAYLOAD_DEPTH = 64
"""Lists and objects within one another. The engine writes deeper ones, but cannot read what lies 128 deep: whatever
meets such a point then fails, searches too."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PATH_KEY = r'(?:[A-Za-z0-9_-]+|"[^"]+")(?:\[[0-9]*\])?'
_PATH = re.compile(rf"{_PATH_KEY}(?:\.{_PATH_KEY})*")

T = TypeVar("T")


def check_name(name: str) -> str:
    """``name`` if it can be a collection's or an alias's: it becomes a folder name and part of a URL.

    Raises:
        ValueError: it is empty, too long, or has a character that one of the engines does not take.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"collection name {name!r}: 1 to 200 letters, digits, '.', '_' or '-', a letter or digit first"
        )
    return name


def field_path(*keys: str) -> str:
    """The name by which filters and facets find a nested payload value: ``field_path("metadata", "my key")``.

    Raises:
        ValueError: a key is empty or has a double quote, which the engines' paths cannot express.
    """
    return ".".join(_path_key(key) for key in keys)


def _path_key(key: str) -> str:
    if _PLAIN_KEY.fullmatch(key):
        return key
    if not key or '"' in key:
        raise ValueError(f"payload key {key!r} cannot be filtered on: it is empty or has a double quote")
    return f'"{key}"'


def check_path(field: str) -> str:
    """``field`` if it is a path that both engines understand.

    Raises:
        ValueError: it is not, such as a key with a space and without quotes.
    """
    if not _PATH.fullmatch(field):
        raise ValueError(f"field {field!r} is no payload path; layout.field_path makes one of any keys")
    return field


def check_points(points: Sequence[Point], dim: int, collection: str) -> list[Point]:
    """The points to write, each id once: of two points with one id the later wins.

    Raises:
        WrongDimension: a vector is not of ``dim`` dimensions.
        ValueError: a vector's name is unknown, its shape wrong, or it holds a NaN or an infinity (one
            such vector would spoil the order of every answer it takes part in); or see ``check_payloads``.
    """
    last = {point.id: point for point in points}
    for point in last.values():
        _check_point(point, dim, collection)
    check_payloads({point.id: point.payload for point in last.values()})
    return list(last.values())


def check_payloads(payloads: Mapping[UUID, Payload]) -> None:
    """Refuse what could be written but not read again.

    Raises:
        ValueError: a payload is nested more than ``MAX_PAYLOAD_DEPTH`` deep.
    """
    for id, payload in payloads.items():
        if _deeper(payload, MAX_PAYLOAD_DEPTH):
            raise ValueError(f"payload of point {id} is nested more than {MAX_PAYLOAD_DEPTH} deep")


def _deeper(value: PayloadValue, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return any(_deeper(item, levels - 1) for item in inner if isinstance(item, dict | list))


def _check_point(point: Point, dim: int, collection: str) -> None:
    for name, vector in point.dense.items():
        _check_known(name, DENSE)
        check_vector(vector, dim, f"vector {name!r} of point {point.id}", collection, rank=1)
    for name, rows in point.multi.items():
        _check_known(name, MULTI)
        check_vector(rows, dim, f"vector {name!r} of point {point.id}", collection, rank=2)
    for name in point.sparse:
        _check_known(name, SPARSE)


def check_query(query: Query, dim: int, collection: str) -> None:
    """Refuse a query that no engine could answer.

    Raises:
        WrongDimension: its vector is not of ``dim`` dimensions.
        ValueError: ``using`` names no vector of this kind, or the vector is not finite.
    """
    if isinstance(query, DenseQuery):
        _check_known(query.using, (*DENSE, *MULTI))
        check_vector(query.vector, dim, f"query for {query.using!r}", collection, rank=1)
    else:
        _check_known(query.using, SPARSE)


def check_vector(vector: Vector | Vectors, dim: int, what: str, collection: str, *, rank: int) -> None:
    """Refuse ``vector`` unless it is finite with ``dim`` columns; ``what`` names it in the message."""
    if vector.ndim != rank:
        raise ValueError(f"{what}: shape {vector.shape} has {vector.ndim} axes, not {rank}")
    if vector.shape[-1] != dim:
        raise WrongDimension(f"{what} has {vector.shape[-1]} dimensions, collection {collection!r} has {dim}")
    if not np.isfinite(vector).all():
        raise ValueError(f"{what} has a value that is not finite")


def _check_known(name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ValueError(f"no vector named {name!r} of this kind; there are {', '.join(known)}")


def unique(ids: Iterable[UUID]) -> list[UUID]:
    """The ids in their first order, each once."""
    return list(dict.fromkeys(ids))


def slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Consecutive parts of at most ``size``; none of an empty sequence."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
