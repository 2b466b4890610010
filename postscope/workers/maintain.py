"""Sweeps: work of dead workers, expired pages of searches, uploads that no post uses, blobs without a user."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import text

from postscope.backend import runs, webhooks, work
from postscope.backend.banks import vectors
from postscope.backend.banks.behind import check_again
from postscope.backend.loose_blobs import forget_loose, loosen_blobs
from postscope.backend.runtime import Runtime
from postscope.backend.topics import telling
from postscope.backend.work import Stage
from postscope.workers.head_upkeep import start_watch, train_stale
from postscope.workers.tag_upkeep import start_again
from postscope.workers.trend_sweep import start_sweep

log = structlog.get_logger(__name__)

TOLD_AT_ONCE = 20_000
"""Posts whose topic the store is told of in one round; a discovery can move all of them."""


def sweep(runtime: Runtime) -> None:
    """One round: take back lapsed work, ring for what waits, forget what has expired."""
    now = runtime.clock()
    with runtime.database.session() as session:
        lapsed = work.reclaim(session, now=now, settings=runtime.settings.work) + runs.reclaim(session, now=now)
        waiting = [row for row in work.backlog(session) if row.waiting]
        session.execute(text("DELETE FROM search_pages WHERE expires_at < :now"), {"now": now})
        webhooks.forget_delivered(session, before=now - timedelta(days=runtime.settings.webhooks.keep_days))
        start_again(runtime, session)  # before heads are trained, which takes longer
        start_watch(runtime, session)
        train_stale(runtime, session)
        vectors.start(session, now=now)
        if check_again(session, now=now):
            runtime.jobs.after(session, [Stage.ENRICH])
        start_sweep(runtime, session)
        runtime.jobs.after(session, [Stage(row.stage) for row in waiting])
    if lapsed:
        log.warning("work_taken_back", rows=lapsed)
    telling.tell(runtime, most=TOLD_AT_ONCE)
    forget_uploads(runtime)
    forget_loose(runtime.database, runtime.blobs, now=now)


def forget_uploads(runtime: Runtime) -> int:
    """Remove uploads that no post, example or entry has used in time; their bytes are loose then."""
    before = runtime.clock() - timedelta(hours=runtime.settings.media.unused_upload_hours)
    with runtime.database.session() as session:
        hashes = session.scalars(
            text(
                "DELETE FROM uploads u WHERE u.created_at < :before "
                "AND NOT EXISTS (SELECT 1 FROM media m WHERE m.upload_id = u.id) "
                "AND NOT EXISTS (SELECT 1 FROM taxonomy_examples e WHERE e.upload_id = u.id) "
                "AND NOT EXISTS (SELECT 1 FROM bank_entries b WHERE b.upload_id = u.id) RETURNING u.sha256"
            ),
            {"before": before},
        ).all()
        names = list(dict.fromkeys(hashes))
        loosen_blobs(session, names, now=runtime.clock())
    return len(names)
