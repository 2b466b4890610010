"""What our child processes have in common."""

from __future__ import annotations

import sys


def die_with_parent() -> None:
    """Have Linux kill this process when its parent goes: nobody would take its answer any more.

    A thread of our own could not watch the parent, since some libraries let no thread run for minutes.
    """
    if sys.platform == "linux":
        import ctypes
        import signal

        set_parent_death_signal = 1  # PR_SET_PDEATHSIG, prctl(2)
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
