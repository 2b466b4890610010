"""The stages: claim a batch, work, commit. The same code on Celery workers and on threads."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence

import structlog

from postscope.backend import work
from postscope.backend.runtime import Runtime
from postscope.backend.work import Claim, Stage
from postscope.workers.erasing import erase
from postscope.workers.extraction import extract
from postscope.workers.indexing import index
from postscope.workers.outcome import Outcome

log = structlog.get_logger(__name__)

Run = Callable[[Runtime, Sequence[Claim]], list[Outcome]]

STAGES: dict[Stage, Run] = {Stage.EXTRACT: extract, Stage.INDEX: index, Stage.ERASE: erase}


def worker_name() -> str:
    """Host and process, for the person who asks who had a post."""
    return f"{socket.gethostname()}:{os.getpid()}"


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
    """Claim one batch, run it and write down what became of each row; 0 when nothing waits."""
    settings = runtime.settings.work
    with runtime.database.session() as session:
        claims = work.claim(session, stage, now=runtime.clock(), worker=worker_name(), settings=settings)
    if not claims:
        return 0
    started = time.monotonic()
    try:
        outcomes = STAGES[stage](runtime, claims)
    except Exception as error:
        log.exception("stage_failed", stage=stage.value, posts=len(claims))
        outcomes = _one_by_one(runtime, stage, claims, error)
    except BaseException:
        # An orderly stop in the middle of a batch: hand it back, it is no failure.
        with runtime.database.session() as session:
            work.release(session, claims, now=runtime.clock())
        raise
    _settle(runtime, stage, outcomes)
    log.info(
        "stage_done",
        stage=stage.value,
        posts=len(claims),
        failed=sum(outcome.error is not None for outcome in outcomes),
        seconds=round(time.monotonic() - started, 3),
        request_ids=sorted({held.request_id for held in claims if held.request_id})[:5],
    )
    return len(claims)


def _one_by_one(runtime: Runtime, stage: Stage, claims: Sequence[Claim], error: Exception) -> list[Outcome]:
    """A batch that failed as a whole is tried post by post: one bad post never fails its batch."""
    if len(claims) == 1:
        return [Outcome.failed(claims[0], type(error).__name__, str(error))]
    outcomes = []
    for held in claims:
        try:
            outcomes.extend(STAGES[stage](runtime, [held]))
        except Exception as alone:
            outcomes.append(Outcome.failed(held, type(alone).__name__, str(alone)))
    return outcomes


def _settle(runtime: Runtime, stage: Stage, outcomes: Sequence[Outcome]) -> None:
    now = runtime.clock()
    with runtime.database.session() as session:
        for outcome in outcomes:
            if outcome.error is not None:
                work.fail(
                    session,
                    outcome.claim,
                    code=outcome.error.code,
                    reason=outcome.error.reason,
                    now=now,
                    settings=runtime.settings.work,
                    retryable=outcome.error.retryable,
                )
        lost = work.finish(session, [outcome.claim for outcome in outcomes if outcome.error is None], now=now)
        # We were taken for dead and somebody else ran these; what we wrote may have come after: do them again.
        work.add(session, stage, [held.post_id for held in lost], now=now, request_id=None)
        follow = [outcome.claim.post_id for outcome in outcomes if outcome.index_again]
        work.add(session, Stage.INDEX, follow, now=now, request_id=None)
        if follow:
            runtime.jobs.after(session, [Stage.INDEX])
