"""Which found cluster is which topic, as far as the database knows."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from postscope.backend.tables import Topic
from postscope.indexing.topics.identity import Event, Matrix, match
from postscope.indexing.types import Vectors

_SHARED = {
    "topic": "SELECT m.topic_id AS old, f.label AS new, count(*) FROM found f JOIN topic_members m USING (post_id) "
    "WHERE m.topic_id IS NOT NULL GROUP BY 1, 2",
    "subtopic": "SELECT m.subtopic_id AS old, f.part AS new, count(*) FROM found f JOIN topic_members m "
    "USING (post_id) WHERE m.subtopic_id IS NOT NULL GROUP BY 1, 2",
    "theme": "SELECT t.parent_id AS old, f.theme AS new, count(*) FROM found f JOIN topic_members m USING (post_id) "
    "JOIN topics t ON t.id = m.topic_id WHERE t.parent_id IS NOT NULL GROUP BY 1, 2",
}


@dataclass(frozen=True, slots=True)
class Matched:
    """One layer: ``topics`` that were there, the one of each found cluster (None: new), and what happened.

    ``sizes`` has the posts of each topic that were looked at again; ``folded`` the clusters that a topic takes in
    because a person merged others into it, by their place.
    """

    topics: Sequence[Topic]
    topic_of: list[Topic | None]
    events: list[Event]
    sizes: npt.NDArray[np.float64]
    folded: dict[int, Topic]


def match_layer(session: Session, layer: str, centres: Vectors, *, space: str) -> Matched:
    """Match the clusters of one layer in the temporary table ``found`` with the topics of that layer.

    Args:
        session: whose transaction has ``found``.
        layer: theme, topic or subtopic.
        centres: (m, dim) of the found clusters.
        space: of the centres; a topic of another space is recognised by its posts alone.
    """
    topics = list(
        session.scalars(
            select(Topic)
            .where(Topic.layer == layer, Topic.state != "merged")
            .order_by(Topic.created_at, Topic.id)
            .with_for_update()
        )
    )
    shared, sizes = _counts(session, layer, [topic.id for topic in topics], len(centres))
    old_centres = np.stack([centroid(topic, space, centres.shape[1]) for topic in topics]) if topics else None
    cosines = np.zeros((0, len(centres))) if old_centres is None else (old_centres @ centres.T).astype(np.float64)
    matching = match(shared, sizes, shared.sum(axis=0), cosines)
    folded = {
        event.new: topics[event.old]
        for event in matching.events
        if event.kind == "split" and event.old is not None and event.new is not None and topics[event.old].absorbs
    }
    events = [event for event in matching.events if not (event.kind in ("birth", "split") and event.new in folded)]
    found = [None if old is None else topics[old] for old in matching.topic_of]
    return Matched(topics, found, events, sizes, folded)


def centroid(topic: Topic, space: str, dim: int) -> Vectors:
    """A topic's centre (dim,), zero where it is of another space."""
    vector = np.frombuffer(topic.centroid, np.float32)
    return vector if topic.space == space and len(vector) == dim else np.zeros(dim, np.float32)


def _counts(session: Session, layer: str, ids: Sequence[uuid.UUID], clusters: int) -> tuple[Matrix, Matrix]:
    place = {topic_id: n for n, topic_id in enumerate(ids)}
    shared, sizes = np.zeros((len(ids), clusters)), np.zeros(len(ids))
    for old, new, count in session.execute(text(_SHARED[layer])):
        if old in place:
            sizes[place[old]] += count
            if new >= 0:
                shared[place[old], new] = count
    return shared, sizes
