"""Keywords of topics without words: what their pictures show."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from sqlalchemy import func, select

from postscope.backend.runtime import Runtime
from postscope.backend.tables import Topic
from postscope.backend.topics.matching import centroid
from postscope.indexing.topics.seen import class_names, seen_words
from postscope.indexing.types import Vectors

SLICE = 16
"""Names encoded between two looks at whether somebody is waiting for an answer."""


def see_topics(runtime: Runtime, run_id: uuid.UUID) -> None:
    """Give the topics of a run that have no keywords the names of what is seen in them, marked as such."""
    wordless = (Topic.run_id == run_id, func.jsonb_array_length(Topic.keywords) == 0, Topic.kind != "watch")
    with runtime.database.session() as session:
        if session.scalar(select(Topic.id).where(*wordless).limit(1)) is None:
            return
    names = class_names()
    vectors, space = _encoded(runtime, names), runtime.encoder.space
    with runtime.database.session() as session:
        for topic in session.scalars(select(Topic).where(*wordless).order_by(Topic.id).with_for_update()):
            found = seen_words(centroid(topic, space.id, space.dim), names, vectors)
            topic.keywords = [asdict(word) for word in found]


def _encoded(runtime: Runtime, names: Sequence[str]) -> Vectors:
    rows = []
    for start in range(0, len(names), SLICE):
        runtime.gate.pause_for_queries()
        rows.append(runtime.encoder.encode_queries(list(names[start : start + SLICE])))
    return runtime.calibration.centre_queries(np.concatenate(rows))
