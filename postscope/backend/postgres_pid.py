"""Who a process id is, read from a file that a killed server may have left behind."""

from __future__ import annotations

import os
from pathlib import Path


def first_number(path: Path) -> int | None:
    """What the first line of the file says; none where there is no file or no number."""
    try:
        return int(path.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def alive(pid: int) -> bool:
    """Whether there is such a process, and no zombie that nobody has asked for yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # gone meanwhile, or a system without /proc
        return not Path("/proc/self").exists()
    return state not in ("Z", "X")


def program(pid: int) -> str | None:
    """Name of the program a process runs; none where that cannot be known."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None
