"""Topics that people made or pinned hold their own, whatever a discovery's clusters say."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from sqlalchemy import text
from sqlalchemy.orm import Session

from postscope.backend.tables import Topic
from postscope.backend.topics.matching import Matched, centroid
from postscope.backend.topics.staging import copy_rows
from postscope.indexing.topics.job import Job, Result

SLICE = 8_192


def hold(
    session: Session,
    job: Job,
    result: Result,
    matched: Matched,
    *,
    space: str,
    kept: Callable[[Topic], bool],
) -> set[uuid.UUID]:
    """Put into ``held`` the posts that go to kept topics.

    A watch topic takes every post within its reach. Another kept topic that no cluster was recognised as takes those
    within its reach that are nearer to it than to their cluster. Of several the nearest takes a post.

    Returns:
        The topics that hold posts.
    """
    found = {topic.id for topic in matched.topic_of if topic is not None}
    topics = [
        topic
        for topic in matched.topics
        if kept(topic) and topic.state == "active" and (topic.kind == "watch" or topic.id not in found)
    ]
    if not topics or not job.spec.count:
        return set()
    centres = np.stack([centroid(topic, space, job.spec.dim) for topic in topics])
    reaches = np.array([topic.reach for topic in topics], np.float32)
    watching = np.array([topic.kind == "watch" for topic in topics])
    ids, holders = job.ids(), set[uuid.UUID]()

    def rows() -> Iterator[tuple[uuid.UUID, uuid.UUID, float]]:
        for start, place, number, strength in _taken(job, result, centres, reaches, watching):
            holders.add(topics[number].id)
            yield ids[start + place], topics[number].id, strength

    copy_rows(session, "held (post_id, topic_id, strength)", rows())
    session.execute(text("DELETE FROM held WHERE post_id NOT IN (SELECT post_id FROM found)"))
    return holders


def _taken(
    job: Job,
    result: Result,
    centres: npt.NDArray[np.float32],
    reaches: npt.NDArray[np.float32],
    watching: npt.NDArray[np.bool_],
) -> Iterator[tuple[int, int, int, float]]:
    """Start of the slice, place in it, number of the topic, and strength, of each post that is taken."""
    vectors, own_centres = job.vectors(), result.centres["topic"]
    for start in range(0, len(vectors), SLICE):
        part = np.asarray(vectors[start : start + SLICE])
        labels = result.labels[start : start + SLICE]
        own = np.where(labels >= 0, (part * own_centres[labels]).sum(axis=1), -1.0) if len(own_centres) else -1.0
        cosines = part @ centres.T
        rival = np.where(watching[None, :], -1.0, np.broadcast_to(own, len(part))[:, None])
        cosines = np.where((cosines >= reaches) & (cosines > rival), cosines, -2.0)
        best = cosines.argmax(axis=1)
        for place in np.flatnonzero(cosines.max(axis=1) > -2.0).tolist():
            yield start, place, int(best[place]), float(np.clip(cosines[place, best[place]], 0.0, 1.0))
