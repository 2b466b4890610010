"""Runs a discovery's computation in a child process, so that this one stays free to answer."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from postscope.indexing.topics.job import Job, Result

POLL: Final = 0.2
"""Seconds between two looks at the child."""


class DiscoveryFailed(Exception):
    """The computation failed; the message ends with what it said."""


def compute(job: Job, *, compiled: Path, timeout: float, tell: Callable[[str, float], None]) -> Result:
    """Compute a job's result.

    Args:
        job: a closed folder.
        compiled: folder where compiled code is kept for the next time, unless ``NUMBA_CACHE_DIR`` names another.
        timeout: seconds after which it is given up.
        tell: called all the while with the step and the share of it that is done; when it raises, the child is ended.

    Raises:
        DiscoveryFailed: with the reason.
    """
    compiled.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "postscope.indexing.topics.discovery", str(job.folder)]
    environment = {"NUMBA_CACHE_DIR": str(compiled), **os.environ}
    deadline = time.monotonic() + timeout
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment) as child,
    ):
        try:
            while True:
                try:
                    child.wait(POLL)
                    break
                except subprocess.TimeoutExpired:
                    tell(*job.told())
                if time.monotonic() > deadline:
                    raise DiscoveryFailed(f"it took longer than {timeout:g} s")
        finally:
            child.kill()
        if child.returncode:
            said.seek(0)
            raise DiscoveryFailed(f"exit {child.returncode}: {said.read().strip()[-1500:]}")
    return Result.load(job.folder)
