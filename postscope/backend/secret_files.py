"""Secrets that are made on first use and kept in the data folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def kept_secret(path: Path) -> bytes:
    """Read a secret file, or make it (readable by its owner alone) on first use."""
    try:
        return path.read_bytes().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    fresh = secrets.token_urlsafe(48).encode()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was faster
        return path.read_bytes().strip()
    with os.fdopen(handle, "wb") as out:
        out.write(fresh)
        out.flush()
        os.fsync(out.fileno())
    return fresh
