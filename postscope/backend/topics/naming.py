"""Names and summaries of topics, after a discovery or an edit."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.runtime import Runtime
from postscope.backend.tables import Media, Post, Topic
from postscope.backend.topics.model_namer import ModelNamer, NamerFailed
from postscope.backend.topics.seeing import see_topics
from postscope.indexing.topics.keywords import Keyword
from postscope.indexing.topics.names import KeywordNamer, TopicName, TopicNamer, summary_of

log = structlog.get_logger(__name__)

PICTURES = 4
"""Images that stand for a topic."""


def namer_of(runtime: Runtime) -> TopicNamer:
    """As the settings say: a model's endpoint, or keywords."""
    topics = runtime.settings.topics
    if topics.namer_url is None:
        return KeywordNamer()
    key = topics.namer_key.get_secret_value() if topics.namer_key else None
    return ModelNamer(topics.namer_url, topics.namer_model, key=key, timeout=topics.namer_timeout_seconds)


def name_topics(
    runtime: Runtime, run_id: uuid.UUID, due: Sequence[uuid.UUID], *, tell: Callable[[int, int], None]
) -> int:
    """Sum up the topics of a run, and name those that are due; those without words by what is seen in them.

    A namer that fails leaves the name made of keywords; after the first failure it is not asked again in this run.

    Returns:
        How many the namer could not name.
    """
    see_topics(runtime, run_id)
    namer, failed = namer_of(runtime), 0
    with runtime.database.session() as session:
        ids = list(session.scalars(select(Topic.id).where(Topic.run_id == run_id).order_by(Topic.id)))
    for number, topic_id in enumerate(ids):
        with runtime.database.session() as session:
            topic = session.get_one(Topic, topic_id)
            texts, media = _examples(session, topic)
            keywords = [Keyword(**word) for word in topic.keywords]
        named = TopicName(topic.name, summary_of(texts))
        if topic_id in due:
            try:
                named = namer.name(keywords, texts)
            except NamerFailed as error:
                log.warning("topic_not_named", topic=str(topic_id), reason=str(error))
                namer, failed = KeywordNamer(), failed + 1
                named = namer.name(keywords, texts)
        _write(runtime, topic_id, named, media)
        tell(number + 1, len(ids))
    return failed


def _examples(session: Session, topic: Topic) -> tuple[list[str], list[str]]:
    """Texts of the posts that stand for a topic, in their order, and their images."""
    ids = [uuid.UUID(post_id) for post_id in topic.summary.get("post_ids", [])]
    texts = {row.id: row.text for row in session.execute(select(Post.id, Post.text).where(Post.id.in_(ids)))}
    media = session.execute(
        select(Media.post_id, Media.id).where(Media.post_id.in_(ids), Media.state == "indexed").order_by(Media.position)
    ).all()
    ordered = sorted(media, key=lambda row: ids.index(row.post_id))
    return [texts[post_id] for post_id in ids if texts.get(post_id)], [str(row.id) for row in ordered[:PICTURES]]


def _write(runtime: Runtime, topic_id: uuid.UUID, named: TopicName, media: list[str]) -> None:
    with runtime.database.session() as session:
        topic = session.get_one(Topic, topic_id, with_for_update=True)
        if topic.named_by is None:
            topic.name = named.name
        topic.summary = {**topic.summary, "text": named.summary, "media_ids": media}
