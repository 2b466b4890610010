"""Topics that people make: watch topics from words and example posts, and topics split off from others."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import numpy as np
import uuid_utils
from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.errors import Invalid
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Topic, TopicEdit, TopicMember
from postscope.backend.topics.applying import lock
from postscope.backend.topics.edit import Edit, living, members_only
from postscope.backend.topics.gathering import texts_of
from postscope.indexing.normalise import normalise
from postscope.indexing.stores.base import DenseQuery
from postscope.indexing.topics.keywords import count_voices, keywords, read_terms
from postscope.indexing.topics.names import KeywordNamer, summary_of
from postscope.indexing.types import Vector, Vectors

LIKELY = 0.5
"""Relevance to its seed from which a post belongs to a watch topic: as likely as not."""
LOOSEST, TIGHTEST = 0.2, 0.95
"""Bounds of a watch topic's reach, whatever the calibration says."""
FOUND_AT_ONCE = 1_000
"""Posts that a new watch topic may take at once; the next discovery looks at all."""
OTHERS = 500
"""Posts of the topic that is split which the keywords of the new one are told from."""


def watch(
    runtime: Runtime, *, name: str, words: str | None, posts: Sequence[uuid.UUID], actor: str
) -> tuple[Topic, TopicEdit]:
    """A topic of what is like these words and posts. It takes every post within its reach, before any other topic.

    Raises:
        Invalid: an example is not here, or has nothing to compare with.
    """
    centre, model = _seed(runtime, words, posts), runtime.live
    reach = model.calibration.scorer(centre, "text").cosine_for("text", LIKELY)
    if posts:
        reach = min(reach, float((_vectors(runtime, posts) @ centre).min()))
    reach = float(np.clip(reach, LOOSEST, TIGHTEST))
    near = runtime.store.query(model.collection, DenseQuery(centre, "post"), limit=FOUND_AT_ONCE, min_score=reach)
    now = runtime.clock()
    with runtime.database.session() as session:
        edit = Edit(session, "watch", actor=actor, now=now)
        topic = _made(runtime, "watch", name, actor, centre, reach)
        topic.seed = {"words": words, "post_ids": [str(post) for post in posts]}
        session.add(topic)
        edit.made(topic)
        free = set(
            session.scalars(
                select(TopicMember.post_id).where(
                    TopicMember.post_id.in_([match.id for match in near]), TopicMember.corrected_by.is_(None)
                )
            )
        )
        moved = edit.move(sorted(free), out_of=None, to=topic, by=None)
        scores = {match.id: match.score for match in near}
        for member in session.scalars(select(TopicMember).where(TopicMember.topic_id == topic.id)):
            member.strength = float(np.clip(scores.get(member.post_id, reach), 0.0, 1.0))
        edit.tell("birth", from_id=None, to_id=topic.id)
        return topic, edit.finish(name=name, posts=moved)


def split(
    runtime: Runtime, topic_id: uuid.UUID, posts: Sequence[uuid.UUID], *, name: str | None, actor: str
) -> tuple[Topic, TopicEdit]:
    """A topic of its own for some posts of another; later discoveries leave them there.

    Raises:
        Invalid: a post does not belong to the topic, or none of them has a vector.
    """
    vectors, now = _vectors(runtime, posts), runtime.clock()
    if not len(vectors):
        raise Invalid.of("post_ids", "none of them has anything to compare with")
    centre = _middle(vectors, "post_ids")
    reach = float(np.clip(np.quantile(vectors @ centre, 0.05), LOOSEST, TIGHTEST))
    with runtime.database.session() as session:
        lock(session)
        source = living(session, topic_id)
        if source.layer != "topic":
            raise Invalid.of("topic_id", f"is a {source.layer}: posts are split off from topics")
        members_only(session, source, posts)
        edit = Edit(session, "split", actor=actor, now=now)
        topic = _made(runtime, "split", name or "", actor if name else None, centre, reach)
        topic.parent_id = source.parent_id
        _tell_words(session, topic, source, posts)
        session.add(topic)
        edit.made(topic)
        edit.touch(source)
        moved = edit.move(posts, out_of=source, to=topic, by=actor)
        edit.tell("split", from_id=source.id, to_id=topic.id)
        return topic, edit.finish(source=str(topic_id), posts=moved)


def _made(runtime: Runtime, kind: str, name: str, named_by: str | None, centre: Vector, reach: float) -> Topic:
    now = runtime.clock()
    return Topic(
        id=uuid.UUID(str(uuid_utils.uuid7())), space=runtime.live.encoder.space.id, layer="topic", kind=kind,
        state="active", name=name, named_by=named_by, keywords=[], summary={}, hidden=False, pinned=False,
        absorbs=False, centroid=centre.astype(np.float32).tobytes(), reach=reach, created_at=now, updated_at=now,
    )  # fmt: skip


def _tell_words(session: Session, topic: Topic, source: Topic, posts: Sequence[uuid.UUID]) -> None:
    """Keywords that tell the posts from the rest of their topic."""
    rest = list(
        session.scalars(
            select(TopicMember.post_id)
            .where(TopicMember.topic_id == source.id, TopicMember.post_id.not_in(posts))
            .order_by(TopicMember.strength.desc(), TopicMember.post_id)
            .limit(OTHERS)
        )
    )
    mine, others = texts_of(session, posts), texts_of(session, rest)
    topics = np.array([0] * len(mine) + [-1] * len(others), np.int32)
    found = keywords(count_voices(topics, topics, read_terms([*mine.values(), *others.values()])), 1)[0]
    topic.keywords = [{"word": one.word, "weight": one.weight, "language": one.language} for one in found]
    texts = [mine[post].text for post in posts if post in mine]
    topic.summary = {"post_ids": [str(post) for post in posts[:5]], "text": summary_of(texts[:5])}
    topic.name = topic.name or KeywordNamer().name(found, texts).name


def _seed(runtime: Runtime, words: str | None, posts: Sequence[uuid.UUID]) -> Vector:
    rows: list[Vector] = list(_vectors(runtime, posts))
    if len(rows) < len(posts):
        raise Invalid.of("post_ids", "one of them is not indexed, or has nothing to compare with")
    if words is not None:
        said = runtime.encoder.encode_queries([normalise(words)])
        rows.append(runtime.calibration.centre_queries(said)[0])
    return _middle(np.stack(rows), "words" if words is not None else "post_ids")


def _vectors(runtime: Runtime, posts: Sequence[uuid.UUID]) -> Vectors:
    """Those of the posts that have one, (n, dim)."""
    stored = runtime.store.retrieve(runtime.live.collection, posts) if posts else []
    found = [point.dense["post"] for point in stored if "post" in point.dense]
    return np.stack(found) if found else np.zeros((0, runtime.encoder.space.dim), np.float32)


def _middle(vectors: Vectors, field: str) -> Vector:
    total = vectors.sum(axis=0)
    length = float(np.linalg.norm(total))
    if length < 1e-6:
        raise Invalid.of(field, "point in opposite directions: there is nothing in common to look for")
    middle: Vector = (total / length).astype(np.float32)
    return middle
