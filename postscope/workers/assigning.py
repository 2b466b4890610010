"""The enricher that gives every post its topic, seconds after it came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from postscope.backend.runtime import Runtime
from postscope.backend.topics.languages import neutral
from postscope.backend.topics.membership import Place, barred, places, topic_map
from postscope.backend.topics.telling import FIELD, payload_topics
from postscope.indexing.clustering.voting import VOTERS
from postscope.indexing.stores.base import DenseQuery
from postscope.indexing.topics.assigning import NOWHERE, Assigned, TopicMap, Voter, assign
from postscope.indexing.types import Match, Payload, Vector
from postscope.workers.batches import EnrichBatch


def assign_topics(runtime: Runtime, batch: EnrichBatch) -> None:
    """Write where each post of the batch belongs; what a person said of one stays."""
    space = batch.model.encoder.space
    vectors = {post.id: point.dense["post"] for post in batch.posts if "post" in (point := batch.points[post.id]).dense}
    with runtime.database.session() as session:
        topics = topic_map(session, space.id, space.dim)
        # The discovery's neighbours were found so: else posts of few in their language meet only those.
        plain = neutral(session, space.id, batch.posts, vectors) if topics.ids else {}
    near = _neighbours(runtime, batch, plain)
    with runtime.database.session() as session:
        seen = places(
            session, {match.id for matches in near.values() for match in matches} | {p.id for p in batch.posts}
        )
        excluded = barred(session, [post.id for post in batch.posts])
        rows = {}
        for post in batch.posts:
            mine = seen.get(post.id)
            if mine is None or mine.corrected_by is None:
                barred_from = excluded.get(post.id, frozenset())
                rows[post.id] = _judge(post.id, vectors, plain, near, seen, topics, barred_from)
        _write(session, runtime, rows)


def _neighbours(runtime: Runtime, batch: EnrichBatch, vectors: Mapping[UUID, Vector]) -> dict[UUID, list[Match]]:
    if not vectors:
        return {}
    asked = list(vectors)
    found = runtime.store.query_many(
        batch.model.collection, [DenseQuery(vectors[post], "post") for post in asked], limit=VOTERS + 1
    )
    return {post: [match for match in matches if match.id != post] for post, matches in zip(asked, found, strict=True)}


def _judge(
    post: UUID,
    vectors: Mapping[UUID, Vector],
    plain: Mapping[UUID, Vector],
    near: Mapping[UUID, Sequence[Match]],
    seen: Mapping[UUID, Place],
    topics: TopicMap,
    excluded: frozenset[UUID],
) -> Assigned:
    if post not in vectors:  # nothing in it that could be compared
        return NOWHERE
    # Who has not been looked at has no vote: of posts that come in together none knows where the others go.
    voters = [
        Voter(seen[match.id].topic_id, seen[match.id].subtopic_id, match.score)
        for match in near.get(post, [])
        if match.id in seen
    ]
    now_in = seen[post].topic_id if post in seen else None
    return assign(vectors[post], voters, topics, barred=excluded, now_in=now_in, neutral=plain.get(post))


def _write(session: Session, runtime: Runtime, rows: Mapping[UUID, Assigned]) -> None:
    """Of posts that are still there; a topic that ended meanwhile keeps the post until the next look."""
    if not rows:
        return
    collections = [model.collection for model in runtime.write_models()]
    written = session.execute(
        text(
            """
            INSERT INTO topic_members (post_id, topic_id, subtopic_id, strength, assigned_at, told_topic_id,
                told_subtopic_id)
            SELECT posts.id, said.topic, said.subtopic, said.strength, :now, said.topic, said.subtopic
            FROM unnest(CAST(:posts AS uuid[]), CAST(:topics AS uuid[]), CAST(:subtopics AS uuid[]),
                CAST(:strengths AS float8[])) AS said(post, topic, subtopic, strength)
            JOIN posts ON posts.id = said.post FOR KEY SHARE OF posts
            ON CONFLICT (post_id) DO UPDATE SET topic_id = excluded.topic_id, subtopic_id = excluded.subtopic_id,
                strength = excluded.strength, run_id = CASE WHEN topic_members.topic_id IS NOT DISTINCT FROM
                    excluded.topic_id THEN topic_members.run_id END, assigned_at = excluded.assigned_at,
                told_topic_id = excluded.told_topic_id, told_subtopic_id = excluded.told_subtopic_id
            WHERE topic_members.corrected_by IS NULL RETURNING post_id
            """
        ),
        {
            "now": runtime.clock(),
            "posts": list(rows),
            "topics": [row.topic for row in rows.values()],
            "subtopics": [row.subtopic for row in rows.values()],
            "strengths": [row.strength for row in rows.values()],
        },
    ).scalars()
    payloads: dict[UUID, Payload] = {
        post: {FIELD: payload_topics((rows[post].topic, rows[post].subtopic))} for post in written
    }
    # Before the commit, which keeps others from the rows: if the store refuses, they stay as they were.
    for collection in collections:
        runtime.store.set_payload(collection, payloads)
