"""Looks after the embedded PostgreSQL while a process uses it: one that has ended is started again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

import structlog

from postscope.backend.errors import NotReady
from postscope.backend.postgres import EmbeddedPostgres

log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 5.0


@contextlib.contextmanager
def kept_up(postgres: EmbeddedPostgres, *, every_seconds: float = EVERY_SECONDS) -> Iterator[None]:
    """For the length of the block, bring the server back whenever it is found to have ended."""
    ending = threading.Event()

    def look() -> None:
        failed = False
        while not ending.wait(every_seconds):
            try:
                if postgres.revive():
                    log.warning("postgres_started_again", why_it_ended=str(postgres.log_file.with_name("log.1")))
                failed = False
            except NotReady as error:
                if not failed:  # it is tried again and again, and told once
                    log.error("postgres_stays_down", reason=error.detail)
                failed = True
            except Exception:  # nobody else would bring it back
                log.exception("postgres_watch_failed")

    watch = threading.Thread(target=look, name="postgres-watch", daemon=True)
    watch.start()
    try:
        yield
    finally:
        ending.set()
        watch.join(timeout=every_seconds)
