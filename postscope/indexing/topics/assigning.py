"""The topic of a post that comes in between two discoveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from postscope.indexing.clustering.voting import SHARE, VOTERS
from postscope.indexing.types import Vector, Vectors

STAY: Final = 0.5
"""A post stays where it is while that topic has this share of the votes that it would need to come there."""


@dataclass(frozen=True, slots=True, eq=False)
class TopicMap:
    """The topics that posts may belong to.

    Attributes:
        ids: of k topics.
        centres: (k, dim), unit length.
        reaches: (k,) cosine that a member has at least.
        watching: (k,) a person said what to look for: these come first.
        floors: (k,) cosine below which a post is far off, so that its neighbours' vote does not count.
    """

    ids: Sequence[UUID]
    centres: Vectors
    reaches: npt.NDArray[np.float32]
    watching: npt.NDArray[np.bool_]
    floors: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Voter:
    """A neighbour that was looked at already: where it belongs, and its cosine with the post."""

    topic: UUID | None
    subtopic: UUID | None
    cosine: float


@dataclass(frozen=True, slots=True)
class Assigned:
    """Where a post belongs, and how firmly; no topic for an outlier."""

    topic: UUID | None
    subtopic: UUID | None
    strength: float


NOWHERE: Final = Assigned(None, None, 0.0)


def assign(
    vector: Vector,
    voters: Sequence[Voter],
    topics: TopicMap,
    *,
    barred: frozenset[UUID],
    now_in: UUID | None,
    neutral: Vector | None = None,
) -> Assigned:
    """Where a post belongs.

    A watch topic that reaches it takes it. Otherwise its neighbours vote as in a discovery, but not for a topic that it
    is far off from; where too few of them belong anywhere, the nearest centre that reaches it takes it. Ties go to the
    smaller id.

    Args:
        vector: of the post, (dim,).
        voters: its nearest neighbours, without itself.
        topics: that it may belong to.
        barred: where it does not belong, because a person said so.
        now_in: where it is now.
        neutral: the vector without what its language does, (dim,). A centre has as much of a language as its topic's
            posts, so a discovered topic is as near as either of the two is; what a person looks for is in the words
            they gave, and is looked for in the post as it is.
    """
    cosines = topics.centres @ vector if len(topics.ids) else np.zeros(0, np.float32)
    open_ = np.array([topic not in barred for topic in topics.ids], bool)
    watch = _nearest(topics, cosines, (cosines >= topics.reaches) & open_ & topics.watching)
    if watch is not None:
        return watch
    if neutral is not None and len(topics.ids):
        cosines = np.where(topics.watching, cosines, np.maximum(cosines, topics.centres @ neutral))
    reached = (cosines >= topics.reaches) & open_
    shares = _shares([voter.topic for voter in voters[:VOTERS]], voters)
    shares = {topic: share for topic, share in shares.items() if topic in topics.ids and topic not in barred}
    near = {topic for topic, close in zip(topics.ids, cosines >= topics.floors, strict=True) if close}
    if now_in in shares and shares[now_in] >= STAY * SHARE:
        return _voted(now_in, shares[now_in], voters)
    if shares:
        best = min(shares, key=lambda topic: (-shares[topic], topic))
        if shares[best] >= SHARE and best in near:
            return _voted(best, shares[best], voters)
    return _nearest(topics, cosines, reached) or NOWHERE


def _nearest(topics: TopicMap, cosines: npt.NDArray[np.float32], allowed: npt.NDArray[np.bool_]) -> Assigned | None:
    if not allowed.any():
        return None
    best = int(np.where(allowed, cosines, -2.0).argmax())
    return Assigned(topics.ids[best], None, float(np.clip(cosines[best], 0.0, 1.0)))


def _voted(topic: UUID, share: float, voters: Sequence[Voter]) -> Assigned:
    """With the sub-topic that most of the topic's own voters are in, if a share of all is."""
    parts = _shares([voter.subtopic if voter.topic == topic else None for voter in voters[:VOTERS]], voters)
    best = min(parts, key=lambda part: (-parts[part], part)) if parts else None
    return Assigned(topic, best if best is not None and parts[best] >= SHARE else None, min(share, 1.0))


def _shares(chosen: Sequence[UUID | None], voters: Sequence[Voter]) -> Mapping[UUID, float]:
    total = sum(max(voter.cosine, 0.0) for voter in voters[:VOTERS])
    shares: dict[UUID, float] = {}
    for choice, voter in zip(chosen, voters, strict=False):
        if choice is not None and voter.cosine > 0:
            shares[choice] = shares.get(choice, 0.0) + voter.cosine / total
    return shares
