"""Who belongs where, to look up."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.tables import Topic, TopicExclusion, TopicMember
from postscope.indexing.clustering.fences import ANYWHERE
from postscope.indexing.topics.assigning import TopicMap


@dataclass(frozen=True, slots=True)
class Place:
    """Where a post belongs, and who said so if it was a person."""

    topic_id: uuid.UUID | None
    subtopic_id: uuid.UUID | None
    corrected_by: str | None


def topic_map(session: Session, space: str, dim: int) -> TopicMap:
    """The topics that posts of a space may belong to, by id."""
    rows = session.execute(
        select(Topic.id, Topic.centroid, Topic.reach, Topic.floor, Topic.kind)
        .where(Topic.layer == "topic", Topic.state.in_(("active", "candidate")), Topic.space == space)
        .order_by(Topic.id)
    ).all()
    centres = np.frombuffer(b"".join(row.centroid for row in rows), np.float32).reshape(len(rows), dim)
    return TopicMap(
        [row.id for row in rows],
        centres,
        np.array([row.reach for row in rows], np.float32),
        np.array([row.kind == "watch" for row in rows], bool),
        np.array([ANYWHERE if row.floor is None else row.floor for row in rows], np.float32),
    )


def places(session: Session, posts: Collection[uuid.UUID]) -> dict[uuid.UUID, Place]:
    """Of the posts that were looked at."""
    rows = session.execute(
        select(TopicMember.post_id, TopicMember.topic_id, TopicMember.subtopic_id, TopicMember.corrected_by).where(
            TopicMember.post_id.in_(posts)
        )
    )
    return {row.post_id: Place(row.topic_id, row.subtopic_id, row.corrected_by) for row in rows}


def barred(session: Session, posts: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, frozenset[uuid.UUID]]:
    """Topics that a person said a post does not belong to."""
    found: dict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
    for row in session.execute(
        select(TopicExclusion.post_id, TopicExclusion.topic_id).where(TopicExclusion.post_id.in_(posts))
    ):
        found[row.post_id].add(row.topic_id)
    return {post: frozenset(topics) for post, topics in found.items()}
