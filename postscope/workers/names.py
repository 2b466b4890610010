"""What a worker calls itself."""

from __future__ import annotations

import os
import socket


def worker_name() -> str:
    """Host and process, for the person who asks who had a post."""
    return f"{socket.gethostname()}:{os.getpid()}"
