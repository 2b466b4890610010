"""The re-embedding switch: everything between ``begin`` and the new space being live. Killed anywhere, run it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select

from postscope.backend import work
from postscope.backend.errors import Conflict, NotReady
from postscope.backend.models import SpaceModel
from postscope.backend.runs import RunCancelled
from postscope.backend.runtime import ALIAS, Runtime
from postscope.backend.setting_groups import EncoderSettings
from postscope.backend.space_audit import AuditReport
from postscope.backend.spaces import Spaces
from postscope.backend.tables import Media, Post, SpaceRow
from postscope.backend.work import Stage
from postscope.indexing.stores.base import StoreError
from postscope.migrations.collections.layouts import upgrade_collection
from postscope.workers.indexing import load, write
from postscope.workers.run_context import RunContext

log = structlog.get_logger(__name__)

Progress = Callable[[int], None]
"""Told how many posts a step has visited."""


def spaces_of(runtime: Runtime) -> Spaces:
    """The spaces of a running process."""
    return Spaces(runtime.database, runtime.store, alias=ALIAS, clock=runtime.clock)


def begin(runtime: Runtime, encoder: EncoderSettings | None = None) -> SpaceRow:
    """Start the switch to an encoder (by default that of the settings), or go on with it.

    Raises:
        Conflict: its space is live already, or another one is being built.
        EncoderError: the encoder cannot be opened.
    """
    settings = encoder or runtime.settings.encoder
    model = runtime.models.get(settings)
    space = model.encoder.space
    # Before the row: from its commit on, workers write to the collection.
    layout = upgrade_collection(runtime.store, model.collection, space.dim)
    row = spaces_of(runtime).begin(space, settings, collection=model.collection, layout=layout)
    log.info("space_building", space=row.id, after=str(row.backfill_after))
    return row


def backfill(
    runtime: Runtime, row: SpaceRow, *, progress: Progress = lambda _: None, stop: Callable[[], bool] = lambda: False
) -> bool:
    """Index every post into the space that is being built, from where an earlier run came to.

    Returns:
        Whether every post has been visited; False when ``stop`` said to.
    """
    model = runtime.models.get(runtime.settings.encoder.model_validate(row.encoder))
    spaces = spaces_of(runtime)

    def index_into(ids: Sequence[UUID]) -> None:
        index_into_space(runtime, model, ids)

    while not stop():
        count = spaces.backfill_step(row.id, index_into, batch=runtime.settings.work.batch)
        if not count:
            return True
        progress(count)
    return False


def switch(runtime: Runtime, *, progress: Progress = lambda _: None) -> AuditReport:
    """The whole way: build beside, backfill, audit, switch.

    Returns:
        The report of the audit that was passed.

    Raises:
        Conflict: ``audit_failed``, with what it found; the old space stays live, and another run fills the gaps.
    """
    row = begin(runtime)
    backfill(runtime, row, progress=progress)
    return _conclude(runtime, row)


def switch_space(runtime: Runtime, context: RunContext) -> dict[str, Any]:
    """The same as a run, in the process that owns the store: the space's own cursor is what it goes on from.

    A run that is cancelled gives the space up, and its collection; one that is stopped goes on with it later. Where
    only weights are new there is no other space: the posts of this one are indexed again by the workers, in place.
    """
    encoder = EncoderSettings.model_validate(context.params["encoder"])
    if (again := spaces_of(runtime).reweigh(encoder)) is not None:
        runtime.forget_live()
        runtime.jobs.bell.ring(Stage.INDEX)
        return {"live": runtime.live.encoder.space.id, "posts_to_index_again": again}
    row = begin(runtime, encoder)
    with runtime.database.session() as session:
        total = session.scalar(select(func.count()).select_from(Post)) or 0
    done = row.backfill_done

    def visited(count: int) -> None:
        nonlocal done
        done += count
        context.report(done, max(total, done), f"re-embedding into {row.id}")

    try:
        context.report(done, total, f"re-embedding into {row.id}")
        backfill(runtime, row, progress=visited)
        context.report(done, max(total, done), "auditing")
    except RunCancelled:
        spaces_of(runtime).cancel(row.id)
        raise
    return {"live": row.id, "audit": _conclude(runtime, row).as_json()}


def _conclude(runtime: Runtime, row: SpaceRow) -> AuditReport:
    spaces = spaces_of(runtime)
    report = spaces.audit(row.id)
    if not report.passed:
        spaces.restart_backfill(row.id)
        raise Conflict(f"the audit of the space {row.id} did not pass: {report.as_json()}", code="audit_failed")
    spaces.finish(row.id)
    runtime.forget_live()
    log.info("space_switched", space=row.id)
    return report


def rollback(runtime: Runtime) -> SpaceRow:
    """Make the previous space live again, and ring for the posts that it has not seen as they are now."""
    row = spaces_of(runtime).rollback()
    runtime.forget_live()
    runtime.jobs.bell.ring(Stage.INDEX)
    return row


def roll_back(runtime: Runtime, _context: RunContext) -> dict[str, Any]:
    """The same as a run, in the process that owns the store."""
    return {"live": rollback(runtime).id}


def drop_previous(runtime: Runtime, _context: RunContext) -> dict[str, Any]:
    """Remove what was kept for a rollback, as a run."""
    return {"removed": spaces_of(runtime).drop_previous()}


def index_into_space(runtime: Runtime, model: SpaceModel, ids: Sequence[UUID]) -> None:
    """Write the points of these posts into one space.

    A worker may index a newer version of a post between our reading and our writing, and we would then write the
    older one over it: posts that have changed are queued again, and points of deleted ones are taken out.
    """
    with runtime.database.session() as session:
        posts, media = load(session, ids)
    _write(runtime, model, posts, media)
    before = {post.id: _seen(post, media.get(post.id, [])) for post in posts}
    with runtime.database.session() as session:
        posts, media = load(session, ids)
    after = {post.id: _seen(post, media.get(post.id, [])) for post in posts}
    gone = [post_id for post_id in before if post_id not in after]
    runtime.store.delete(model.collection, gone)
    _queue(runtime, [post_id for post_id in after if after[post_id] != before.get(post_id)])


def _write(runtime: Runtime, model: SpaceModel, posts: Sequence[Post], media: dict[UUID, list[Media]]) -> None:
    try:
        write(runtime, model, posts, media)
    except (StoreError, NotReady):
        raise  # no post's fault: the cursor stays, and the next run goes on from it
    except Exception as error:
        if len(posts) > 1:
            for post in posts:
                _write(runtime, model, [post], media)
            return
        # The work table tries it again with its pauses, and keeps it with its reason if it never succeeds.
        log.warning("backfill_post_failed", space=model.encoder.space.id, reason=repr(error))
        _queue(runtime, [post.id for post in posts])


def _seen(post: Post, media: Sequence[Media]) -> tuple[object, ...]:
    return post.version, *((m.id, m.sha256, m.state == "failed", m.understood_at) for m in media)


def _queue(runtime: Runtime, ids: Sequence[UUID]) -> None:
    with runtime.database.session() as session:
        alive = list(session.scalars(select(Post.id).where(Post.id.in_(ids))))
        work.add(session, Stage.INDEX, alive, now=runtime.clock(), request_id=None)
        runtime.jobs.after(session, [Stage.INDEX] * bool(alive))
