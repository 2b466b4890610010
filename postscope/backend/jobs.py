"""Tells workers that there is work, after the commit, by task name. The only sender.

A bell that cannot be rung costs seconds, never work: the sweep of the workers finds the row.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Final, Protocol

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy.orm import Session

from postscope.backend.database import after_commit
from postscope.backend.work import Stage

log = structlog.get_logger(__name__)

TASK = "postscope.run_stage"
"""Name of the task that works off one stage; the queue has the stage's name."""
REST_SECONDS: Final = 5.0


class Bell(Protocol):
    """Wakes workers."""

    def ring(self, stage: Stage) -> None:
        """Say that there is work of this stage; never raises, never waits long."""
        ...


class LocalBell:
    """Wakes threads of this process."""

    def __init__(self) -> None:
        self._events = {stage: threading.Event() for stage in Stage}

    def ring(self, stage: Stage) -> None:
        """Wake the threads that wait for this stage."""
        self._events[stage].set()

    def wait(self, stage: Stage, timeout: float) -> None:
        """Wait for a ring, at most ``timeout`` seconds."""
        event = self._events[stage]
        event.wait(timeout)
        event.clear()


class CeleryBell:
    """Sends a message over Redis. After one that could not be sent it stays silent for ``rest_seconds``.

    To be told that Redis is down takes the library two seconds, for each stage of each batch of posts.
    """

    def __init__(self, redis_url: str, *, rest_seconds: float = REST_SECONDS) -> None:
        self._rest = rest_seconds
        self._silent_until = 0.0
        self._app = Celery("postscope", broker=redis_url)
        self._app.conf.update(
            broker_connection_timeout=1,
            broker_transport_options={"socket_timeout": 1, "socket_connect_timeout": 1},
            task_ignore_result=True,
        )

    def ring(self, stage: Stage) -> None:
        """Send one message to the stage's queue."""
        if time.monotonic() < self._silent_until:
            return
        try:
            self._app.send_task(TASK, args=[stage.value], queue=stage.value, retry=False, expires=60)
        except (OperationalError, OSError) as error:
            self._silent_until = time.monotonic() + self._rest
            log.warning("bell_not_rung", stage=stage.value, reason=type(error).__name__)


class Jobs:
    """Rings the bell once a stage when a session commits."""

    def __init__(self, bell: Bell) -> None:
        self.bell = bell

    def after(self, session: Session, stages: Iterable[Stage]) -> None:
        """Ring for each of these stages once this session's transaction has committed."""
        for stage in dict.fromkeys(stages):
            after_commit(session, lambda stage=stage: self.bell.ring(stage))  # type: ignore[misc]
