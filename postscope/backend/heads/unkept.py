"""Content that is not kept, as heads are asked about it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime

from postscope.backend.models import SpaceModel
from postscope.backend.tables import Post
from postscope.indexing.stores.base import Stored
from postscope.indexing.types import Vector, Vectors


def unkept_post(
    key: str,
    text: str,
    created_at: datetime,
    *,
    source: str = "",
    language: str | None = None,
    attributes: Mapping[str, object] | None = None,
) -> Post:
    """A row to read features from, never stored.

    Args:
        key: says what the content is. The id comes from it, so that A/B shows the same again.
        text: as it is matched.
        created_at: the time where it is not known.
        source: empty for not known.
        language: as a post's.
        attributes: its metadata.
    """
    return Post(
        id=uuid.uuid5(uuid.NAMESPACE_OID, key),
        source=source,
        external_id="",
        created_at=created_at,
        text=text,
        language=language,
        tags=[],
        metrics={},
        attributes=dict(attributes or {}),
    )


def unkept_point(model: SpaceModel, post_id: uuid.UUID, text: Vector | None, media: Vectors | None) -> Stored:
    """Vectors of the parts as the store would have them, with the one that joins them.

    Args:
        model: whose vectors these are.
        post_id: of the post that stands for the content.
        text: shape (dim,), centred.
        media: shape (n, dim), centred.
    """
    dense = {} if text is None else {"text": text}
    fused = model.pipeline.fused(text, media)
    if fused is not None:
        dense["post"] = fused
    return Stored(post_id, {}, dense, {} if media is None else {"media": media})
