"""Bytes as an open file that a process of the sandbox can be given."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator


@contextlib.contextmanager
def in_memory(data: bytes) -> Iterator[int]:
    """An open file with this content, which has no name and takes no disk (Linux)."""
    with io.FileIO(os.memfd_create("medium", os.MFD_CLOEXEC), "r+") as memory:
        memory.write(data)
        yield memory.fileno()
