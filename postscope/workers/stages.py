"""The stages: claim a batch, work, commit. The same code on Celery workers and on threads."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from postscope.backend import work, work_ends
from postscope.backend.blobs import BlobsUnavailable
from postscope.backend.database_errors import UNABLE, why
from postscope.backend.errors import NotReady
from postscope.backend.runtime import Runtime
from postscope.backend.work import Claim, Stage
from postscope.indexing.media.sandbox.pool import SandboxDown
from postscope.indexing.stores.base import StoreUnavailable
from postscope.workers.enrichment import enrich
from postscope.workers.erasing import erase
from postscope.workers.extraction import extract
from postscope.workers.indexing import index, vectors_unknown
from postscope.workers.names import worker_name
from postscope.workers.outcome import Outcome
from postscope.workers.understanding import understand

log = structlog.get_logger(__name__)

Run = Callable[[Runtime, Sequence[Claim]], list[Outcome]]

STAGES: dict[Stage, Run] = {
    Stage.EXTRACT: extract,
    Stage.UNDERSTAND: understand,
    Stage.INDEX: index,
    Stage.ENRICH: enrich,
    Stage.ERASE: erase,
}

VIDEO_POSTS = 2
"""Posts with videos that are indexed at a time: dozens of pictures each."""

BETWEEN_POSTS = 8
"""Posts without videos that may be indexed between two slices of a video's pictures: few, as a lease runs."""

OUTAGES = (StoreUnavailable, BlobsUnavailable, NotReady, SandboxDown, *UNABLE)
"""A part that every post needs is down: waited for, however long it takes, and no post is given up for it."""


def run_stage(runtime: Runtime, stage: Stage, *, stop: Callable[[], bool] = lambda: False) -> int:
    """Work off what waits in a stage, batch after batch, until nothing waits or ``stop`` says so.

    Returns:
        How many rows were worked on.
    """
    done = 0
    while not stop():
        count = run_batch(runtime, stage)
        if not count:
            break
        done += count
    return done


def run_batch(runtime: Runtime, stage: Stage) -> int:
    """Claim one batch, run it and write down what became of each row; 0 when nothing waits.

    Of posts to index, those without videos come first, and again between the pictures of those with: no flood of
    videos delays a text.
    """
    settings = runtime.settings.work
    if stage is Stage.INDEX:
        quick = _run_claimed(runtime, stage, _claim(runtime, stage, videos=False), STAGES[stage])
        between = partial(_index_between, runtime)
        slow = _claim(runtime, stage, limit=min(VIDEO_POSTS, settings.batch), videos=True)
        return quick + _run_claimed(runtime, stage, slow, partial(index, between=between))
    if stage is Stage.UNDERSTAND:  # minutes of work a post, so one at a time, and longer before it is taken for dead
        lease = settings.lease_seconds + runtime.settings.media.understand_seconds
        return _run_claimed(runtime, stage, _claim(runtime, stage, limit=1, lease_seconds=lease), STAGES[stage])
    return _run_claimed(runtime, stage, _claim(runtime, stage), STAGES[stage])


def _index_between(runtime: Runtime) -> None:
    claims = _claim(runtime, Stage.INDEX, limit=BETWEEN_POSTS, videos=False, suspects=False)
    _run_claimed(runtime, Stage.INDEX, claims, STAGES[Stage.INDEX])


def _claim(
    runtime: Runtime,
    stage: Stage,
    *,
    limit: int | None = None,
    lease_seconds: float | None = None,
    videos: bool | None = None,
    suspects: bool = True,
) -> list[Claim]:
    with runtime.database.session() as session:
        return work.claim(
            session,
            stage,
            now=runtime.clock(),
            worker=worker_name(),
            settings=runtime.settings.work,
            limit=limit,
            lease_seconds=lease_seconds,
            videos=videos,
            suspects=suspects,
        )


def _run_claimed(runtime: Runtime, stage: Stage, claims: Sequence[Claim], run: Run) -> int:
    if not claims:
        return 0
    started = time.monotonic()
    try:
        outcomes = _outcomes(runtime, stage, claims, run)
    except OUTAGES as error:
        _postpone(runtime, stage, claims, error)
        return 0
    except BaseException:
        # An orderly stop in the middle of a batch: hand it back, it is no failure.
        with runtime.database.session() as session:
            work_ends.release(session, claims, now=runtime.clock())
        raise
    _settle(runtime, stage, outcomes)
    seconds, failed = time.monotonic() - started, sum(outcome.error is not None for outcome in outcomes)
    runtime.metrics.work_done(stage.value, len(claims) - failed, seconds)
    runtime.metrics.work_failed(stage.value, failed)
    log.info(
        "stage_done",
        stage=stage.value,
        posts=len(claims),
        failed=failed,
        seconds=round(seconds, 3),
        request_ids=sorted({held.request_id for held in claims if held.request_id})[:5],
    )
    return len(claims)


def _outcomes(runtime: Runtime, stage: Stage, claims: Sequence[Claim], run: Run) -> list[Outcome]:
    try:
        return run(runtime, claims)
    except OUTAGES:
        raise
    except Exception as error:
        log.exception("stage_failed", stage=stage.value, posts=len(claims))
        return _one_by_one(runtime, claims, run, error)


def _postpone(runtime: Runtime, stage: Stage, claims: Sequence[Claim], error: Exception) -> None:
    """Wait for what is down. Where that is the database itself, the lease does it: this raises then."""
    settings = runtime.settings.work
    pause = min(settings.retry_cap_seconds, settings.retry_base_seconds)
    log.warning("stage_postponed", stage=stage.value, posts=len(claims), reason=why(error), seconds=pause)
    with runtime.database.session() as session:
        work_ends.postpone(
            session,
            claims,
            code=type(error).__name__,
            reason=why(error),
            until=runtime.clock() + timedelta(seconds=pause),
        )


def _one_by_one(runtime: Runtime, claims: Sequence[Claim], run: Run, error: Exception) -> list[Outcome]:
    """A batch that failed as a whole is tried post by post: one bad post never fails its batch."""
    if len(claims) == 1:
        return [Outcome.failed(claims[0], type(error).__name__, str(error))]
    outcomes = []
    for held in claims:
        try:
            outcomes.extend(run(runtime, [held]))
        except OUTAGES:
            raise
        except Exception as alone:
            outcomes.append(Outcome.failed(held, type(alone).__name__, str(alone)))
    return outcomes


def _settle(runtime: Runtime, stage: Stage, outcomes: Sequence[Outcome]) -> None:
    now = runtime.clock()
    with runtime.database.session() as session:
        for outcome in outcomes:
            if outcome.error is not None:
                work_ends.fail(
                    session,
                    outcome.claim,
                    code=outcome.error.code,
                    reason=outcome.error.reason,
                    now=now,
                    settings=runtime.settings.work,
                    retryable=outcome.error.retryable,
                )
        lost = work_ends.finish(session, [outcome.claim for outcome in outcomes if outcome.error is None], now=now)
        # We were taken for dead and somebody else ran these; what we wrote may have come after: do them again.
        again = [held.post_id for held in lost]
        if stage is Stage.INDEX:
            vectors_unknown(session, again)
        work.add(session, stage, again, now=now, request_id=None)
        _follow(runtime, session, outcomes, now)


def _follow(runtime: Runtime, session: Session, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Ask for what the outcomes made work for, under the request that began it all."""
    asked: dict[tuple[Stage, str | None], list[UUID]] = defaultdict(list)
    for outcome in outcomes:
        for stage in outcome.follow:
            asked[stage, outcome.claim.request_id].append(outcome.claim.post_id)
    for (stage, request_id), ids in asked.items():
        work.add(session, stage, ids, now=now, request_id=request_id)
    runtime.jobs.after(session, [stage for stage, _ in asked])
