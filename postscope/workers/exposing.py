"""The figures of worker processes, for Prometheus, on a port of their own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from postscope.backend.runtime import Runtime
from postscope.backend.setting_groups import WorkSettings

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where the processes of one worker keep what they count; the library reads it once, when it is imported."""
_OURS: Final = "postscope-figures-"


@contextmanager
def figures_of_children(settings: WorkSettings) -> Iterator[None]:
    """Answer scrapes for a process whose children do the work: the sums of what all of them count, dead ones too.

    Without a port nothing happens. With one, the calling process is first started anew, once, under the same id, with
    a folder that its children count in: the library asks for that folder before any code of ours runs.
    """
    if not settings.metrics_port:
        yield
        return
    if FOLDER_VARIABLE not in os.environ:
        os.environ[FOLDER_VARIABLE] = tempfile.mkdtemp(prefix=_OURS)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line
    folder = Path(os.environ[FOLDER_VARIABLE])
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    ProcessCollector(registry=registry)  # of this process, the parent
    server, thread = start_http_server(settings.metrics_port, addr=settings.metrics_host, registry=registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        if folder.name.startswith(_OURS):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def own_figures(runtime: Runtime) -> Iterator[None]:
    """Answer scrapes for a process that works on threads; nothing without a port."""
    settings = runtime.settings.work
    if not settings.metrics_port:
        yield
        return
    stop = runtime.metrics.serve(settings.metrics_port, settings.metrics_host)
    try:
        yield
    finally:
        stop()
