"""What must hold for the service to be ready: see ``health``, which runs these."""

from __future__ import annotations

from postscope.backend import work
from postscope.backend.errors import NotReady
from postscope.backend.health import Check
from postscope.backend.runtime import Runtime
from postscope.indexing.stores.base import StoreError


def checks_of(runtime: Runtime) -> dict[str, Check]:
    """By name; each raises ``NotReady`` with its own code."""
    return {
        "database": runtime.database.ready,
        "store": lambda: _store_ready(runtime),
        "model": lambda: _model_ready(runtime),
        "backlog": lambda: _backlog_young(runtime),
    }


def _model_ready(runtime: Runtime) -> None:
    _ = runtime.live


def _store_ready(runtime: Runtime) -> None:
    try:
        runtime.store.ready()
    except StoreError as error:
        raise NotReady(f"the vector store does not answer: {error}", code="store_down") from error


def _backlog_young(runtime: Runtime) -> None:
    with runtime.database.session() as session:
        oldest = min((row.oldest for row in work.backlog(session) if row.oldest), default=None)
    if oldest is None:
        return
    age = (runtime.clock() - oldest).total_seconds()
    if age > runtime.settings.work.backlog_alarm_seconds:
        raise NotReady(f"the oldest work waits for {age:.0f} s", code="backlog_old")
