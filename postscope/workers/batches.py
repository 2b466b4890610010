"""A batch of posts as the enrichers see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Media, Post
from postscope.indexing.stores.base import Stored


@dataclass(frozen=True, slots=True)
class EnrichBatch:
    """Posts whose points were in the store when they were read.

    Attributes:
        posts: as they are in the database, in the order of their ids.
        media: of each post that has some, in order.
        points: of each post, with its vectors; a post without anything to embed has a point without vectors.
        model: of the live space, whose vectors these are.
    """

    posts: Sequence[Post]
    media: Mapping[UUID, Sequence[Media]]
    points: Mapping[UUID, Stored]
    model: SpaceModel


Enricher = Callable[[Runtime, EnrichBatch], None]
