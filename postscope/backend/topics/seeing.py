"""Keywords of topics of pictures, whose posts share no word: what is seen in them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from postscope.backend.runtime import Runtime
from postscope.backend.tables import Topic
from postscope.backend.topics.gathering import texts_of
from postscope.backend.topics.matching import centroid
from postscope.indexing.topics.seen import class_names, seen_words
from postscope.indexing.types import Vectors

SLICE = 16
"""Names encoded between two looks at whether somebody is waiting for an answer."""


def see_topics(runtime: Runtime, run_id: uuid.UUID) -> None:
    """Give topics of a run that have no keywords the names of what is seen in them, marked as such.

    Where half or more of the posts that stand for a topic have words, it is one of words, which are told instead.
    """
    wordless = (Topic.run_id == run_id, func.jsonb_array_length(Topic.keywords) == 0, Topic.kind != "watch")
    with runtime.database.session() as session:
        mute = {
            topic.id for topic in session.scalars(select(Topic).where(*wordless)) if not _mostly_words(session, topic)
        }
    if not mute:
        return
    names = class_names()
    vectors, space = _encoded(runtime, names), runtime.encoder.space
    with runtime.database.session() as session:
        for topic in session.scalars(select(Topic).where(Topic.id.in_(mute)).order_by(Topic.id).with_for_update()):
            found = seen_words(centroid(topic, space.id, space.dim), names, vectors)
            topic.keywords = [asdict(word) for word in found]


def _mostly_words(session: Session, topic: Topic) -> bool:
    lines = texts_of(session, [uuid.UUID(post) for post in topic.summary.get("post_ids", [])])
    return 2 * sum(bool(line.text.strip()) for line in lines.values()) >= max(len(lines), 1)


def _encoded(runtime: Runtime, names: Sequence[str]) -> Vectors:
    rows = []
    for start in range(0, len(names), SLICE):
        runtime.gate.pause_for_queries()
        rows.append(runtime.encoder.encode_queries(list(names[start : start + SLICE])))
    return runtime.calibration.centre_queries(np.concatenate(rows))
