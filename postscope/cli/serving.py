"""Serves the API; in the embedded mode the stages run beside it in the same process."""

from __future__ import annotations

import contextlib
import gc
import socket
import sys
import threading
from collections.abc import Iterator

import structlog
import uvicorn

from postscope.backend.app import create_app
from postscope.backend.errors import NotReady
from postscope.backend.runtime import Runtime
from postscope.backend.settings import Mode
from postscope.indexing.media.sandbox.pool import SandboxDown
from postscope.workers.local import LocalRunner

log = structlog.get_logger(__name__)


@contextlib.contextmanager
def working(runtime: Runtime) -> Iterator[None]:
    """Run the stages on threads for the length of the block, in the embedded mode."""
    if runtime.settings.mode is not Mode.EMBEDDED:
        yield
        return
    runner = LocalRunner(runtime)
    runner.start()
    try:
        yield
    finally:
        runner.stop()


def build_server(runtime: Runtime) -> uvicorn.Server:
    """A server that is not started yet."""
    keep_for_good()
    api = runtime.settings.api
    config = uvicorn.Config(
        create_app(runtime),
        host=api.host,
        port=api.port,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(api.trusted_proxies),
        timeout_graceful_shutdown=20,
    )
    return uvicorn.Server(config)


def serve(runtime: Runtime) -> None:
    """Serve until the process is told to stop."""
    with working(runtime):
        build_server(runtime).run()


def address(runtime: Runtime) -> str:
    """Where the API is to be found."""
    return f"http://{runtime.settings.api.host}:{runtime.settings.api.port}"


def warm(runtime: Runtime) -> threading.Thread:
    """Open the model, and a process for pictures, in the background: the first search does not wait for them."""

    def load() -> None:
        with contextlib.suppress(SandboxDown):  # whoever needs it hears the reason
            runtime.asked_stills.warm()
        _ = runtime.live
        if runtime.settings.mode is Mode.EMBEDDED:
            try:
                _ = runtime.understander
            except NotReady as error:
                log.warning("media_wait", reason=error.detail)
        keep_for_good()

    thread = threading.Thread(target=load, name="warm", daemon=True)
    thread.start()
    return thread


def keep_for_good() -> None:
    """Take what is loaded by now out of the garbage collector's rounds, make these rarer, and turns shorter.

    Modules, models and tables of a serving process live as long as it does, and looking through them again and again
    takes tens of milliseconds each time, in which no request is answered. A batch of posts is some ten thousand objects
    that go by themselves: a round every few hundred of them would find nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    # A query gives the interpreter up at every question to the database; a stage that computes beside it must not
    # keep it from going on for the usual five milliseconds each time.
    sys.setswitchinterval(0.001)


def free_port(host: str) -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
