"""What a process of the sandbox takes from itself before it touches a file (Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import threading
import time
from pathlib import Path
from typing import Final

_NO_NEW_PRIVS: Final = 38
_NEW_NETWORK: Final = 0x40000000
_NEW_USER: Final = 0x10000000
_GROUP: Final = Path("/proc/self/autogroup")
_GROUP_TRIES: Final = 20


def confine(*, memory_bytes: int, lifeline: int, nice: int) -> None:
    """Limit memory, files and rights, make way for whoever serves, and die with whoever started this.

    Args:
        memory_bytes: of address space, all in all.
        lifeline: a file that ends when the starting process does.
        nice: by how much this makes way, 0 to 19.
    """
    if nice:
        _make_way(nice)
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 64)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    # No way to any network, where the system lets an ordinary user give that up.
    libc.unshare(_NEW_USER | _NEW_NETWORK)
    threading.Thread(target=_die_with, args=(lifeline,), daemon=True, name="lifeline").start()


def _make_way(nice: int) -> None:
    """Be nice as a process, and as a session: where the kernel groups processes by their sessions (autogroup), the
    groups share the processor evenly, however nice the processes in them are.

    The kernel takes a change of a group ten times a second from all ordinary users together.
    """
    with contextlib.suppress(OSError):
        os.nice(nice)
    for _ in range(_GROUP_TRIES):
        try:
            _GROUP.write_text(str(nice))
        except BlockingIOError:
            time.sleep(0.1)
        except OSError:  # there are no such groups here
            return
        else:
            return


def limit_cpu(seconds: float) -> None:
    """From now on this process may compute for so long; after that the system ends it."""
    used = time_used()
    _limit(resource.RLIMIT_CPU, math.ceil(used + seconds), soft_only=True)


def time_used() -> float:
    """Seconds this process has computed."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _limit(what: int, value: int, *, soft_only: bool = False) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(what, (value, hard if soft_only else value))


def _die_with(lifeline: int) -> None:
    with contextlib.suppress(OSError):
        os.read(lifeline, 1)
    os._exit(1)
