"""The enrich stage: says of posts that are in the store what can be said of them.

Each enricher looks at a batch and writes what it found: tags, copies, matches with banks, a topic. It may be run
again for the same posts at any time, so what it writes replaces what it wrote before.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from postscope.backend.runtime import Runtime
from postscope.backend.tables import Post
from postscope.backend.work import Claim
from postscope.workers.assigning import assign_topics
from postscope.workers.bank_checks import check_banks
from postscope.workers.batches import EnrichBatch, Enricher
from postscope.workers.duplicates import find_duplicates
from postscope.workers.early_warning import watch_stream
from postscope.workers.fingerprinting import fingerprint_posts
from postscope.workers.head_scoring import score_posts
from postscope.workers.indexing import load
from postscope.workers.outcome import Outcome
from postscope.workers.sentiment import score_sentiment
from postscope.workers.tagging import tag_posts

ENRICHERS: tuple[Enricher, ...] = (
    fingerprint_posts,
    find_duplicates,
    check_banks,
    tag_posts,
    score_posts,
    assign_topics,
    score_sentiment,
    watch_stream,
)
"""In this order; a later one sees what an earlier one has written."""


def enrich(runtime: Runtime, claims: Sequence[Claim]) -> list[Outcome]:
    """Run every enricher over the claimed posts; then they are enriched in the version that was read."""
    with runtime.database.session() as session:
        posts, media = load(session, [held.post_id for held in claims])
    model = runtime.live
    points = {point.id: point for point in runtime.store.retrieve(model.collection, [post.id for post in posts])}
    # A post that has changed since, or has no point, is being indexed anew, and comes again after that.
    ready = [post for post in posts if post.id in points and post.indexed_version == post.version]
    batch = EnrichBatch(ready, media, points, model)
    if batch.posts:
        for enricher in ENRICHERS:
            runtime.gate.pause_for_queries()
            enricher(runtime, batch)
        _note(runtime, batch.posts)
    return [Outcome(held) for held in claims]


def _note(runtime: Runtime, posts: Sequence[Post]) -> None:
    """Only up to the version that is indexed: what is newer was not looked at."""
    with runtime.database.session() as session:
        session.execute(
            text(
                "UPDATE posts SET enriched_version = seen.version "
                "FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS int[])) AS seen(id, version) "
                "WHERE posts.id = seen.id AND posts.version = seen.version"
            ),
            {"ids": [post.id for post in posts], "versions": [post.version for post in posts]},
        )
