"""A short way to a socket in a deep folder: the address of a Unix socket has room for 107 bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from postscope.backend.errors import NotReady

_LONGEST: Final = 103  # 107 on Linux, 103 on macOS
_SOCKET: Final = ".s.PGSQL.5432"


def reachable_socket_folder(folder: Path) -> Path:
    """The folder itself, or a symbolic link to it where its path is too long.

    The link lies in ``$XDG_RUNTIME_DIR`` or the folder for temporary files, and is made again when it is gone.

    Raises:
        NotReady: somebody else owns a link of that name, which could lead to a server of theirs.
    """
    if len(os.fsencode(folder / _SOCKET)) <= _LONGEST:
        return folder
    link = _link(folder)
    with contextlib.suppress(FileExistsError):
        link.symlink_to(folder)
    if link.lstat().st_uid != os.geteuid() or not link.is_symlink() or link.readlink() != folder:
        raise NotReady(f"{link} is not ours: remove it, or choose a shorter data folder", code="database_down")
    return link


def forget_socket_folder(folder: Path) -> None:
    """Remove the link to this folder if there is one: its server has stopped."""
    link = _link(folder)
    if link.is_symlink() and link.readlink() == folder and link.lstat().st_uid == os.geteuid():
        link.unlink(missing_ok=True)


def _link(folder: Path) -> Path:
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    return base / f"postscope-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
