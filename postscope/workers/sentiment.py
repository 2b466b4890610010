"""Says how posts sound, when they are enriched."""

from __future__ import annotations

from postscope.backend.runtime import Runtime
from postscope.backend.sentiment import keep
from postscope.workers.batches import EnrichBatch


def score_sentiment(runtime: Runtime, batch: EnrichBatch) -> None:
    """Score the texts of a batch; a post without text sounds like nothing."""
    scorer = runtime.sentiment.of(batch.model)
    if scorer is None:
        return
    vectors = [batch.points[post.id].dense.get("text") for post in batch.posts]
    shares = scorer.score([post.text for post in batch.posts], vectors)
    with runtime.database.session() as session:
        keep(session, [post.id for post in batch.posts], shares, scorer.id)
