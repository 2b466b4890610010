"""The Celery app: one task, one queue a stage, and a beat that makes good what a lost bell missed.

A message carries nothing but the name of a stage; the work table says what there is to do.
"""

from __future__ import annotations

import os
import threading
import time
from functools import lru_cache
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_shutting_down
from kombu import Exchange, Queue

from postscope.backend.database import Database
from postscope.backend.jobs import TASK
from postscope.backend.logs import configure_logging
from postscope.backend.runtime import Runtime
from postscope.backend.settings import load_settings
from postscope.backend.work import Stage
from postscope.workers.deliveries import deliver_due
from postscope.workers.fingerprint_patrol import FingerprintPatrol
from postscope.workers.long_runs import work_runs
from postscope.workers.maintain import sweep
from postscope.workers.patrol import Patrol
from postscope.workers.stages import OUTAGES, run_stage

SWEEP = "postscope.sweep"
RUNS = "postscope.runs"
DELIVER = "postscope.deliver"

SLICE_SECONDS = 5.0
"""A task of a long backlog makes room after this, for the other stages, the sweep and an orderly stop."""


_shutting_down = threading.Event()


@lru_cache(maxsize=1)
def process_runtime() -> Runtime:
    """The runtime of this worker process, opened after the fork: models and pools do not survive one."""
    settings = load_settings()
    url = settings.database.url
    if url is None:
        raise SystemExit("a Celery worker needs POSTSCOPE_DATABASE__URL")
    database = Database(
        url.get_secret_value(),
        pool_size=settings.database.pool_size,
        statement_timeout=settings.database.statement_timeout_seconds,
    )
    return Runtime(settings, database)


@lru_cache(maxsize=1)
def process_patrol() -> Patrol:
    """Where this worker process is on its round."""
    return Patrol(process_runtime())


@lru_cache(maxsize=1)
def process_fingerprint_patrol() -> FingerprintPatrol:
    """The same for the fingerprints."""
    return FingerprintPatrol(process_runtime())


def create_celery() -> Celery:
    """The app with its tasks and schedule, from the settings."""
    settings = load_settings()
    broker = settings.queue.url.get_secret_value() if settings.queue.url else None
    app = Celery("postscope", broker=broker)
    app.conf.update(
        # Each with its own exchange and key: without them all would share the default's, and get each other's messages.
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in (*map(str, Stage), "maintain", "runs")],
        task_default_queue="maintain",
        task_ignore_result=True,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"visibility_timeout": 3_600},
        # A bell that nobody heard is worth nothing a minute later: the next sweep rings again.
        beat_schedule={
            "sweep": {
                "task": SWEEP,
                "schedule": settings.work.sweep_seconds,
                "options": {"expires": 30, "queue": "maintain"},
            },
            "deliver": {
                "task": DELIVER,
                "schedule": settings.work.sweep_seconds,
                "options": {"expires": 30, "queue": "maintain"},
            },
            "runs": {
                "task": RUNS,
                "schedule": settings.work.sweep_seconds,
                # A worker that is busy with a run would find a heap of these after it.
                "options": {"expires": settings.work.sweep_seconds, "queue": "runs"},
            },
        },
        beat_schedule_filename=os.path.join(settings.data_dir, "beat-schedule"),
    )
    # What is down is told in a line, not in a trace every two seconds.
    app.task(name=TASK, throws=OUTAGES)(_run_stage)
    app.task(name=SWEEP, throws=OUTAGES)(_sweep)
    app.task(name=RUNS, throws=OUTAGES)(_runs)
    app.task(name=DELIVER, throws=OUTAGES)(_deliver)
    return app


def _run_stage(stage: str) -> int:
    runtime, ends = process_runtime(), time.monotonic() + SLICE_SECONDS

    def over() -> bool:
        return time.monotonic() > ends

    done = run_stage(runtime, Stage(stage), stop=over)
    if over():
        runtime.bell.ring(Stage(stage))
    return done


def _sweep() -> None:
    sweep(process_runtime())
    process_patrol().step()
    process_fingerprint_patrol().step()


def _deliver() -> None:
    ends = time.monotonic() + SLICE_SECONDS
    deliver_due(process_runtime(), stop=lambda: time.monotonic() > ends)


def _runs() -> None:
    work_runs(process_runtime(), stop=_shutting_down.is_set)


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _hand_runs_back(**_: Any) -> None:
    """A long run looks at this and goes back to waiting with its checkpoint: runs are on threads of this process."""
    _shutting_down.set()


@setup_logging.connect  # type: ignore[untyped-decorator]
def _set_up_logging(**_: Any) -> None:
    """In the place of Celery's own: one format, in the parent and in its processes."""
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
