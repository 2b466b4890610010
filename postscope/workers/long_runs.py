"""Works on runs: one at a time, with a heartbeat that keeps the lease while a library computes for minutes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from postscope.backend import runs
from postscope.backend.banks import retro, vectors
from postscope.backend.errors import PostscopeError
from postscope.backend.runs import RunCancelled, RunStopped
from postscope.backend.runtime import Runtime
from postscope.backend.spaces import DROP, ROLLBACK, SWITCH
from postscope.backend.topics import requests as topics
from postscope.workers import duplicates, head_training, head_upkeep, trend_sweep
from postscope.workers.bank_retro import sweep_history
from postscope.workers.bank_vectors import make_vectors
from postscope.workers.discovering import discover_topics
from postscope.workers.head_training import train_head
from postscope.workers.head_upkeep import watch_heads
from postscope.workers.names import worker_name
from postscope.workers.respace import drop_previous, roll_back, switch_space
from postscope.workers.run_context import RunContext, Runner
from postscope.workers.tagging import apply_taxonomy, calibrate_taxonomy

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 5.0

RUNNERS: Mapping[str, Runner] = {
    retro.KIND: sweep_history,
    vectors.KIND: make_vectors,
    "duplicates.sweep": duplicates.sweep,
    "tags.apply": apply_taxonomy,
    head_training.KIND: train_head,
    head_upkeep.KIND: watch_heads,
    topics.KIND: discover_topics,
    "tags.calibrate": calibrate_taxonomy,
    trend_sweep.KIND: trend_sweep.sweep_topics,
    SWITCH: switch_space,
    ROLLBACK: roll_back,
    DROP: drop_previous,
}
"""By kind of run."""


def work_runs(
    runtime: Runtime, *, stop: Callable[[], bool] = lambda: False, runners: Mapping[str, Runner] | None = None
) -> int:
    """Work off the waiting runs.

    Returns:
        How many were worked on.
    """
    known, count = RUNNERS if runners is None else runners, 0
    while not stop():
        with runtime.database.session() as session:
            run = runs.claim(session, list(known), now=runtime.clock(), worker=worker_name())
        if run is None:
            break
        _work(runtime, known[run.kind], RunContext(runtime, run, stop), run.kind)
        count += 1
    return count


def _work(runtime: Runtime, runner: Runner, context: RunContext, kind: str) -> None:
    ended = threading.Event()
    heart = threading.Thread(target=_keep_alive, args=(context, ended), name="heartbeat", daemon=True)
    heart.start()
    try:
        settled: dict[str, Any] = {"state": "done", "result": runner(runtime, context)}
    except RunCancelled:
        settled = {"state": "cancelled"}
    except RunStopped:
        settled = {"state": "waiting"}
    except PostscopeError as error:
        settled = {"state": "failed", "code": error.code, "reason": error.detail}
    except Exception as error:
        log.exception("run_failed", run=str(context.id), kind=kind)
        settled = {"state": "failed", "code": type(error).__name__, "reason": str(error)}
    except BaseException:
        _settle(runtime, context, {"state": "waiting"})
        raise
    finally:
        ended.set()
        heart.join()
    _settle(runtime, context, settled)
    runtime.metrics.run_ended(kind, settled["state"])
    log.info("run_ended", run=str(context.id), kind=kind, state=settled["state"])


def _settle(runtime: Runtime, context: RunContext, settled: dict[str, Any]) -> None:
    with runtime.database.session() as session:
        runs.settle(session, context.id, context.token, now=runtime.clock(), **settled)


def _keep_alive(context: RunContext, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT_SECONDS):
        try:
            context.beat()
        except Exception:
            log.exception("heartbeat_failed", run=str(context.id))
