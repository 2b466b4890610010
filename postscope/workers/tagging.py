"""Labels onto posts: new ones as they come in, and all that are there when a taxonomy is applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from postscope.backend.models import SpaceModel
from postscope.backend.runs import RunCancelled
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Post, TaxonomyVersion
from postscope.backend.tagging.calibrating import calibrate, recalibrated
from postscope.backend.tagging.going_live import begin_applying, make_live
from postscope.backend.tagging.taggers import Tagger, active, batch_of, tagger_of
from postscope.backend.tagging.writing import FIELD, forget_tags, replace_tags
from postscope.indexing.stores.base import Stored
from postscope.workers.batches import EnrichBatch
from postscope.workers.run_context import RunContext

BLOCK = 1_024
"""Posts read, scored and written at a time: with 384 dimensions about 3 MB of vectors."""


def tag_posts(runtime: Runtime, batch: EnrichBatch) -> None:
    """An enricher: every version that is live, or is being applied, says what it has to say of these posts."""
    taggers = [tagger_of(runtime, batch.model, version) for version in active(runtime)]
    if taggers:
        _tag(runtime, batch.model, taggers, [batch.points[post.id] for post in batch.posts])


def _tag(runtime: Runtime, model: SpaceModel, taggers: Sequence[Tagger], points: Sequence[Stored]) -> tuple[int, int]:
    """Returns how many labels were given, and how many posts had more than they may have."""
    posts = batch_of(points, model.encoder.space.dim)
    answers = [tagger.give(posts) for tagger in taggers]
    said = [(tagger, given) for tagger, (given, _) in zip(taggers, answers, strict=True)]
    replace_tags(
        runtime,
        [point.id for point in points],
        said,
        stored={point.id: point.payload.get(FIELD) for point in points},
        collections=[target.collection for target in runtime.write_models()],
    )
    return sum(len(given.post) for _, given in said), sum(more for _, more in answers)


def apply_taxonomy(runtime: Runtime, context: RunContext) -> dict[str, Any]:
    """A runner: a version says what it has to say of every post that is indexed; then it is the live one.

    Nothing is encoded but the prompts: posts come with the vectors they are stored with. Posts that are indexed
    meanwhile get the labels as every new post does.

    Params:
        version_id: of the version.
        cause: ``space`` after a switch of the space; then what was calibrated is calibrated again before.
    """
    version_id = int((context.checkpoint or {}).get("version_id", context.params["version_id"]))
    if context.params.get("cause") == "space":
        version_id = recalibrated(runtime, version_id, actor=context.actor)
    model = runtime.live
    with runtime.database.session() as session:
        version = begin_applying(session, version_id)
        total = session.scalar(select(func.count()).where(Post.indexed_version.is_not(None))) or 0
    seen = (context.checkpoint or {}).get("posts", 0)
    try:
        tagger = tagger_of(
            runtime,
            model,
            version,
            lambda done, of: context.report(seen, total, f"encoded {done} of {of} prompts"),
        )
        result = _all_posts(runtime, context, model, tagger, total)
    except RunCancelled:
        _take_back(runtime, version_id, context)
        raise
    with runtime.database.session() as session:
        make_live(
            session, version_id, space=model.encoder.space.id, actor=context.actor, evidence=result, now=runtime.clock()
        )
    return result


def calibrate_taxonomy(runtime: Runtime, context: RunContext) -> dict[str, Any]:
    """A runner: thresholds and probabilities of a version from what people said."""
    made: dict[str, Any] | None = (context.checkpoint or {}).get("made")
    if made is not None:  # killed behind it
        return made
    steps = iter(range(1, 3))

    def look(note: str) -> None:
        context.report(next(steps), 3, note)

    seed = int(context.params.get("seed", 0))
    return calibrate(
        runtime,
        int(context.params["version_id"]),
        actor=context.actor,
        seed=seed,
        look=look,
        keep=lambda session, told: context.keep(session, {"made": told}),
    )


def _all_posts(runtime: Runtime, context: RunContext, model: SpaceModel, tagger: Tagger, total: int) -> dict[str, Any]:
    which = {"version_id": tagger.version_id, "space": model.encoder.space.id}
    so_far: dict[str, Any] = context.checkpoint or {}
    if any(so_far.get(name) != value for name, value in which.items()):
        so_far = {"after": None, "posts": 0, "labels": 0, "capped": 0}
    while True:
        after = UUID(so_far["after"]) if so_far["after"] else None
        with runtime.database.session() as session:
            ids = _next_ids(session, after)
        if not ids:
            return {name: so_far[name] for name in ("posts", "labels", "capped")}
        points = runtime.store.retrieve(model.collection, ids)
        given, more = _tag(runtime, model, [tagger], points)
        so_far = {
            **which,
            "after": str(ids[-1]),
            "posts": so_far["posts"] + len(points),
            "labels": so_far["labels"] + given,
            "capped": so_far["capped"] + more,
        }
        context.report(so_far["posts"], max(total, so_far["posts"]), "tagging", so_far)


def _next_ids(session: Session, after: UUID | None) -> list[UUID]:
    query = select(Post.id).where(Post.indexed_version.is_not(None)).order_by(Post.id).limit(BLOCK)
    return list(session.scalars(query if after is None else query.where(Post.id > after)))


def _take_back(runtime: Runtime, version_id: int, context: RunContext) -> None:
    """Cancelled: the one that is live stays so. One that was live before is old again, a draft says nothing."""
    with runtime.database.session() as session:
        version = session.get(TaxonomyVersion, version_id, with_for_update=True)
        if version is None or version.state == "live":
            return
        version.state = "draft" if version.applied_at is None else "old"
        said_nothing = version.state == "draft"
    if said_nothing:
        forget_tags(runtime, version_id)
        context.beat()
