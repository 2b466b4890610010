"""What heads say of every post, in the enrich stage: the live versions, and the shadows, whose word few see."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import text

from postscope.backend.heads import registry
from postscope.backend.heads.features import load_features
from postscope.backend.heads.serving import InUse, choose, in_use, say
from postscope.backend.runtime import Runtime
from postscope.workers.batches import EnrichBatch


def score_posts(runtime: Runtime, batch: EnrichBatch) -> None:
    """Score the batch with every version in use, in the place of what they said before."""
    versions = in_use(runtime)
    if not versions:
        return
    by_head: dict[int, list[InUse]] = defaultdict(list)
    for version in versions:
        by_head[version.head_id].append(version)
    ids = [post.id for post in batch.posts]
    rows: list[dict[str, object]] = []
    shown: dict[object, int] = defaultdict(int)
    now = runtime.clock()
    for of_head in by_head.values():
        known, posts = load_features(runtime, ids, of_head[0].fields)
        for version in of_head:
            _, said = say(runtime, version, posts)
            for post_id, values in zip(known, said.tolist(), strict=True):
                chosen = choose(of_head, post_id)
                seen = chosen is not None and chosen.id == version.id
                shown[version.id] += seen
                rows.append({"version": version.id, "post": post_id, "values": values, "shown": seen, "now": now})
    if not rows:
        return
    with runtime.database.session() as session:
        session.execute(
            text(
                "INSERT INTO head_scores (version_id, post_id, values, shown, at) "
                "SELECT :version, :post, :values, :shown, :now WHERE EXISTS (SELECT 1 FROM posts WHERE id = :post) "
                "ON CONFLICT (version_id, post_id) DO UPDATE SET values = excluded.values, shown = excluded.shown, "
                "at = excluded.at"
            ),
            rows,
        )
        for version in versions:
            registry.count_served(session, version.id, shown[version.id])
