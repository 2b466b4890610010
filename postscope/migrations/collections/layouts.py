"""The versions of a collection's layout: which payload fields have an index. A step is never changed once released."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from postscope.backend.errors import NotReady
from postscope.indexing.stores.base import FieldKind, VectorStore

Step = Callable[[VectorStore, str, int], None]

_FIELDS_1: Mapping[str, FieldKind] = {
    "source": "keyword",
    "author": "keyword",
    "language": "keyword",
    "created": "integer",
    "media": "keyword",
    "tags": "keyword",
    "metrics.likes": "float",
    "metrics.comments": "float",
    "metrics.shares": "float",
    "metrics.views": "float",
}


def _create(store: VectorStore, collection: str, dim: int) -> None:
    store.create(collection, dim, _FIELDS_1)


def _labels(store: VectorStore, collection: str, dim: int) -> None:
    store.create(collection, dim, {"labels": "keyword"})


def _topics(store: VectorStore, collection: str, dim: int) -> None:
    store.create(collection, dim, {"topics": "keyword"})


STEPS: tuple[Step, ...] = (_create, _labels, _topics)
LAYOUT = len(STEPS)
"""The newest layout."""


def upgrade_collection(store: VectorStore, collection: str, dim: int, *, layout: int = 0) -> int:
    """Bring a collection from ``layout`` (0: it does not exist) to the newest. Every step may be repeated.

    Returns:
        The layout that it has now.

    Raises:
        NotReady: ``collection_newer``: a newer version of Postscope made it.
        StoreError: the store refused.
    """
    if layout > LAYOUT:
        raise NotReady(
            f"the collection {collection} has layout {layout}, this version knows up to {LAYOUT}",
            code="collection_newer",
        )
    for step in STEPS[layout:]:
        step(store, collection, dim)
    return LAYOUT
