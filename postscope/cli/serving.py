"""Serves the API; in the embedded mode the stages run beside it in the same process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from postscope.backend.app import create_app
from postscope.backend.runtime import Runtime
from postscope.backend.settings import Mode
from postscope.workers.local import LocalRunner


@contextmanager
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
    api = runtime.settings.api
    config = uvicorn.Config(
        create_app(runtime),
        host=api.host,
        port=api.port,
        log_config=None,
        access_log=False,
        server_header=False,
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
    """Open the model in the background, so that the first search does not wait for it."""
    thread = threading.Thread(target=lambda: runtime.live, name="warm", daemon=True)
    thread.start()
    return thread


def free_port(host: str) -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
