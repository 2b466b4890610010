"""The PostgreSQL of the embedded mode: started in the data folder, shared by the processes of that folder.

``<data folder>/postgres`` holds ``data`` (the cluster), ``log`` and three files that are only ever locked. Locks of
the kernel say who is there, so a killed process cannot leave a wrong answer behind, as a list of process ids would:

- ``turn`` is held while a process starts or stops the server;
- ``users`` is held, shared, by each process that uses the server: who gets it alone is the last;
- ``server`` is inherited by the server and each of its children: while it is held, one of them lives.

There is no password and no port: the server listens on a socket inside ``data``, which only its owner can enter.
The server is given its folder as ``/proc/self/cwd``, so the account it runs as needs no way through the folders above.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import psycopg
import structlog
from psycopg import sql

from postscope.backend.errors import NotReady
from postscope.backend.postgres_install import MAJOR, account_for, programs
from postscope.backend.postgres_pid import alive, first_number, program
from postscope.backend.postgres_socket import forget_socket_folder, reachable_socket_folder

log = structlog.get_logger(__name__)

NAME: Final = "postscope"
"""Of the database and of its owner."""

_START_SECONDS: Final = 300.0  # recovery after a kill replays up to max_wal_size
_STOP_SECONDS: Final = 60.0
_PAUSE: Final = 0.02
_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "synchronous_commit": "on",  # an accepted post must outlive a power cut
    "max_wal_size": "2GB",  # imports write much at once; fewer checkpoints, each page written less often
    "random_page_cost": "1.1",  # solid state
    "max_parallel_workers_per_gather": "0",  # the cores belong to the models
    "jit": "off",
    "log_line_prefix": "%m [%p] ",
    "log_min_messages": "warning",
}


class EmbeddedPostgres:
    """A PostgreSQL server in the data folder; also a context manager.

    Several processes, and several objects of one process, may use one folder at once: the first starts the server,
    the last to stop stops it. A server whose users were all killed runs on and is found again by the next.
    """

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir.absolute() / "postgres"
        self._data = self._root / "data"
        self._users: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """``postgresql://`` URL of the database. Valid after ``start``."""
        return self._url(NAME)

    @property
    def log_file(self) -> Path:
        """What the server says."""
        return self._root / "log"

    def start(self) -> None:
        """Make sure that the server runs, and count as one of its users.

        Raises:
            NotReady: it cannot be started; the message ends with what the server said.
        """
        if self._users is not None:
            return
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._lock("turn"):
                self._bring_up()
                self._users = self._open("users")
                fcntl.flock(self._users, fcntl.LOCK_SH)
        except OSError as error:
            raise NotReady(f"PostgreSQL cannot be started in {self._root}: {error}", code="database_down") from error

    def stop(self) -> None:
        """Leave; the last to leave stops the server. Silent when not started."""
        if self._users is None:
            return
        with self._lock("turn"):
            os.close(self._users)
            self._users = None
            if self._free("users"):
                self._shut_down()
                forget_socket_folder(self._data)

    def revive(self) -> bool:
        """Start the server again if it has ended though it was not told to, as it does when the disk is full.

        Returns:
            Whether it had ended. False where this object is no user of the server.

        Raises:
            NotReady: it cannot be started now.
        """
        if self._users is None:
            return False
        try:
            with self._lock("turn"):
                if self._users is None or self._postmaster() is not None:
                    return False
                if self._process is not None:
                    self._process.poll()  # lets go of what is left of it
                self._bring_up()
                return True
        except OSError as error:
            raise NotReady(f"PostgreSQL cannot be started in {self._root}: {error}", code="database_down") from error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _bring_up(self) -> None:
        if not self._data.exists():
            self._initialise()
        version = (self._data / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise NotReady(
                f"{self._data} was made by PostgreSQL {version}, this is {MAJOR}: dump it there and load it here",
                code="database_down",
            )
        if self._postmaster() is None or not self._becomes_ready(lambda: self._postmaster() is None):
            self._wait_for_children()
            process = self._launch()
            if not self._becomes_ready(lambda: process.poll() is not None):
                raise NotReady(f"PostgreSQL did not start in {self._data}: {self._last_words()}", code="database_down")
        self._ensure_database()

    def _initialise(self) -> None:
        """Make the cluster beside and rename it: a kill in the middle leaves nothing that looks like a cluster."""
        beside = self._root / "new"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(mode=0o700)
        account = account_for(beside)
        if account is not None:
            os.chown(beside, account.uid, account.gid)
        done = subprocess.run(
            [
                programs(account) / "initdb",
                *("--pgdata", _here(beside), "--username", NAME, "--auth", "trust", "--encoding", "UTF8"),
                *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            ],
            capture_output=True,
            check=False,
            **_surroundings(beside),
        )
        if done.returncode:
            raise NotReady(f"initdb failed: {done.stderr.decode(errors='replace').strip()}", code="database_down")
        beside.rename(self._data)

    def _launch(self) -> subprocess.Popen[bytes]:
        self._forget_stale_pid()
        if self.log_file.exists():
            self.log_file.replace(self.log_file.with_name("log.1"))
        command = [str(programs(account_for(self._data)) / "postgres"), "-D", _here(self._data)]
        command += [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        inherited = self._open("server")
        try:
            fcntl.flock(inherited, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with self.log_file.open("ab") as output:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # Ctrl-C in our terminal is not meant for it
                    pass_fds=(inherited,),
                    **_surroundings(self._data),
                )
        finally:
            os.close(inherited)  # the server keeps its copy, and with it the lock
        self._process = process
        return process

    def _forget_stale_pid(self) -> None:
        """PostgreSQL would not start if the pid of a killed server is that of some other process, or of a zombie."""
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            pid = first_number(self._data / name)
            if pid is not None and not (alive(pid) and program(pid) in ("postgres", None)):
                (self._data / name).unlink(missing_ok=True)

    def _postmaster(self) -> int | None:
        """Process id of the running server."""
        if self._free("server"):
            return None
        pid = first_number(self._data / "postmaster.pid")
        return pid if pid is not None and alive(pid) else None

    def _wait_for_children(self) -> None:
        """The children of a killed server leave by themselves; until then its memory is in use."""
        deadline = time.monotonic() + _STOP_SECONDS
        while not self._free("server") and time.monotonic() < deadline:
            time.sleep(_PAUSE)

    def _becomes_ready(self, gone: Callable[[], bool]) -> bool:
        """Wait until the server answers; False when it is gone or takes too long."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                psycopg.connect(self._url("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                if gone():
                    return False
                time.sleep(_PAUSE)
            else:
                return True
        return False

    def _last_words(self) -> str:
        if not self.log_file.exists():
            return ""
        return " | ".join(self.log_file.read_text(errors="replace").splitlines()[-5:])

    def _ensure_database(self) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,)).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))

    def _shut_down(self) -> None:
        pid = self._postmaster()
        # Fast shutdown first (clients are cut off, everything is written); if it hangs, without writing: the log of
        # changes brings it back.
        for order in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if pid is None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, order)
            self._wait_for_children()
            pid = self._postmaster()
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _url(self, database: str) -> str:
        folder = reachable_socket_folder(self._data)
        return f"postgresql://{NAME}@/{database}?host={quote(str(folder), safe='')}&port=5432"

    def _open(self, name: str) -> int:
        return os.open(self._root / name, os.O_RDWR | os.O_CREAT, 0o600)

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        handle = self._open(name)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _free(self, name: str) -> bool:
        """Whether nobody holds the lock."""
        handle = self._open(name)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(handle)
        return True


def _here(folder: Path) -> str:
    """A name for the working folder that needs no permission on the folders above, where there is one."""
    return "/proc/self/cwd" if Path("/proc/self/cwd").exists() else str(folder)


def _surroundings(folder: Path) -> dict[str, Any]:
    account = account_for(folder)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {"cwd": folder, "env": clean, "umask": 0o077, **(account.popen() if account else {})}
