"""A process of the sandbox: takes one file after the other, and says what is in it.

Started by ``pool.Sandbox`` as ``python -m postscope.indexing.media.sandbox.child SOCKET LIFELINE MEMORY NICE MODULE``,
where the module has the function ``open_jobs``.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.sandbox import wire
from postscope.indexing.media.sandbox.confine import confine, limit_cpu

Emit = Callable[[dict[str, Any], bytes], None]
Job = Callable[[int, dict[str, Any], Emit], dict[str, Any]]
"""Works on the open file, emits messages on the way, and returns the last one."""


def main() -> None:
    """Serve until the other side is gone."""
    link = socket.socket(fileno=int(sys.argv[1]))
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, wire.ROOM)
    confine(memory_bytes=int(sys.argv[3]), lifeline=int(sys.argv[2]), nice=int(sys.argv[4]))
    jobs: dict[str, Job] = importlib.import_module(sys.argv[5]).open_jobs()
    wire.send(link, {"ready": True})
    while True:
        try:
            request, _, files = wire.receive(link, max_files=1)
        except wire.WireBroken:
            return
        try:
            _serve(link, jobs, request, files[0])
        finally:
            os.close(files[0])


def _serve(link: socket.socket, jobs: dict[str, Job], request: dict[str, Any], file: int) -> None:
    limit_cpu(float(request["cpu_seconds"]))

    def emit(header: dict[str, Any], body: bytes = b"") -> None:
        wire.send(link, {"item": header}, body)

    try:
        done = jobs[request["job"]](file, request["params"], emit)
    except wire.WireBroken:
        raise
    except MediaError as error:
        wire.send(link, {"error": {"code": error.code, "reason": error.reason[:500]}})
    except MemoryError:
        wire.send(link, {"error": {"code": "out_of_memory", "reason": "decoding it takes more memory than allowed"}})
    except Exception as error:  # libraries raise nearly anything on hostile bytes
        reason = f"{type(error).__name__}: {error}"
        wire.send(link, {"error": {"code": "corrupt", "reason": f"the file cannot be decoded: {reason[:300]}"}})
    else:
        wire.send(link, {"done": done})


if __name__ == "__main__":
    main()
