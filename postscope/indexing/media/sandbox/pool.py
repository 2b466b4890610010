"""A pool of warm processes that decode; each is used again, and replaced when it dies, hangs or has seen enough."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from postscope.indexing.media.errors import (
    CorruptMedia,
    DecoderCrashed,
    MediaError,
    OutOfMemory,
    TooSlow,
    error_of,
)
from postscope.indexing.media.sandbox import wire
from postscope.indexing.media.sandbox.files import in_memory

JobKind: TypeAlias = Literal["media", "pictures", "reading", "speech"]

PATIENCE: Final = 3.0
"""Seconds by the clock for each second of computing that a small job may take: others compute too."""

START_SECONDS: Final = 60.0
"""A new process on a busy machine imports its libraries within this."""

MAX_JOBS: Final = 200
"""Then a process is replaced, whatever became of its memory meanwhile."""

JOBS: Final[dict[JobKind, str]] = {
    "media": "postscope.indexing.media.decoding.jobs",
    "pictures": "postscope.indexing.media.decoding.picture_jobs",
    "reading": "postscope.indexing.media.decoding.reading_jobs",
    "speech": "postscope.indexing.media.decoding.hearing_jobs",
}
"""Modules with an ``open_jobs``, by the kind of process."""

MOST_BYTES: Final = 512 * 1024 * 1024
"""That a job may give, all in all: a process may be in the hands of its file, and go on for ever."""

NICE: Final = 10
"""By how much processes make way whose work nobody waits for."""

Item: TypeAlias = tuple[dict[str, Any], bytes]


class SandboxDown(Exception):
    """No process can be started here: nobody's file is to blame."""


@dataclass(frozen=True, slots=True)
class FirstJob:
    """What a new process does before it is given a file, such as loading a model; where it fails there is none."""

    job: str
    params: dict[str, Any]
    seconds: float


class Sandbox:
    """Runs jobs on open files in other processes. Safe to use from several threads.

    Args:
        kind: which jobs its processes know.
        size: how many processes at most; each is started when it is first needed.
        memory_bytes: of address space a process.
        threads: computing threads a process may have, for its limit on computing time.
        nice: by how much a process makes way for others, 0 to 19.
        max_jobs: then a process is replaced.
        first: what a new process does before all else.
    """

    def __init__(
        self,
        kind: JobKind = "media",
        *,
        size: int,
        memory_bytes: int,
        threads: int = 2,
        nice: int = NICE,
        max_jobs: int = MAX_JOBS,
        first: FirstJob | None = None,
    ) -> None:
        self._kind = kind
        self._memory = memory_bytes
        self._threads = threads
        self._nice = nice
        self._max_jobs = max_jobs
        self._first = first
        self._free = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._busy: list[_Child] = []
        self._closed = False

    def run(
        self,
        job: str,
        file: int,
        params: dict[str, Any],
        *,
        seconds: float,
        cpu_seconds: float | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> Generator[Item, None, None]:
        """Run a job: what it emits, as it comes, and at last what it returns, with an empty body.

        A caller that stops reading ends the process.

        Args:
            job: name of one.
            file: an open file; the caller closes it.
            params: for the job, as JSON.
            seconds: by the clock on the wall; then the process is killed.
            cpu_seconds: of computing; by default what the threads can compute in that time.
            most_bytes: that it may give; with more the process is killed, and the file called corrupt.

        Raises:
            MediaError: what the job says is wrong with the file; ``TooSlow``, ``OutOfMemory`` or ``DecoderCrashed``
                where the process did not survive it.
            SandboxDown: no process can be started.
        """
        with self._free:
            child = self._take()
            try:
                cpu_seconds = seconds * self._threads + 1 if cpu_seconds is None else cpu_seconds
                items = child.run(job, file, params, seconds=seconds, cpu_seconds=cpu_seconds)
                for item in items:
                    most_bytes -= len(item[1]) + len(str(item[0]))
                    if most_bytes < 0:
                        raise CorruptMedia("more came out of it than it may have")
                    yield item
            except MediaError as error:
                if self._closed:
                    raise SandboxDown("decoding was stopped") from error
                raise
            finally:
                self._give_back(child)

    def warm(self) -> None:
        """Start a process now, if there is none, so that the first job does not wait for it.

        Raises:
            SandboxDown: no process can be started.
        """
        with self._free:
            self._give_back(self._take())

    def processes(self) -> list[int]:
        """Numbers of the processes that are alive."""
        with self._lock:
            return [child.pid for child in (*self._idle, *self._busy)]

    def close(self) -> None:
        """End all processes. Jobs that are under way raise ``SandboxDown``, for nobody's file is to blame."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for child in self._busy:
                child.kill()
        for child in idle:
            child.end()

    def _take(self) -> _Child:
        while True:
            with self._lock:
                if self._closed:
                    raise SandboxDown("decoding was stopped")
                child = self._idle.pop() if self._idle else None
            fresh = child or self._started()
            if fresh.alive():
                with self._lock:
                    if not self._closed:  # it may have been closed while the process was starting
                        self._busy.append(fresh)
                        return fresh
            fresh.end()

    def _started(self) -> _Child:
        child, first = _Child(self._kind, self._memory, self._nice), self._first
        if first is None:
            return child
        try:
            with in_memory(b"") as nothing:
                list(child.run(first.job, nothing, first.params, seconds=first.seconds, cpu_seconds=first.seconds))
        except MediaError as error:
            child.end()
            raise SandboxDown(f"a process for it does not start: {error}") from error
        return child

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            self._busy.remove(child)
            if child.idle and not self._closed and child.jobs < self._max_jobs:
                self._idle.append(child)
                return
        child.end()


class _Child:
    """One process, in a process group of its own.

    Attributes:
        jobs: how many it was given.
        idle: it has ended the last one in good order.
    """

    def __init__(self, kind: JobKind, memory_bytes: int, nice: int) -> None:
        self.jobs, self.idle = 0, True
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "postscope.indexing.media.sandbox.child",
                 str(theirs.fileno()), str(lifeline), str(memory_bytes), str(nice), JOBS[kind]],
                pass_fds=(theirs.fileno(), lifeline),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                cwd="/",
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            ours.close()
            os.close(self._lifeline)
            raise SandboxDown(f"no process for decoding can be started: {error}") from error
        finally:
            theirs.close()
            os.close(lifeline)
        self._link = ours
        self._wait_until_ready()

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def run(self, job: str, file: int, params: dict[str, Any], *, seconds: float, cpu_seconds: float) -> Iterator[Item]:
        self.jobs, self.idle = self.jobs + 1, False
        ends = time.monotonic() + seconds
        request = {"job": job, "params": params, "cpu_seconds": cpu_seconds}
        try:
            self._link.settimeout(max(seconds, 1.0))
            wire.send(self._link, request, files=[file])
            while True:
                self._link.settimeout(max(ends - time.monotonic(), 0.001))
                message, body, _ = wire.receive(self._link)
                if "item" in message:
                    yield _object(message["item"]), body
                    continue
                if "error" in message:
                    said = _said(_object(message["error"]))
                    self.idle = not isinstance(said, OutOfMemory)
                    raise said
                self.idle = True
                yield _object(message.get("done")), b""
                return
        except TimeoutError as error:
            raise TooSlow(f"decoding it takes more than {seconds:.0f} seconds") from error
        except wire.WireBroken as error:
            raise self._died(seconds) from error

    def end(self) -> None:
        """Kill it and give back what it held."""
        self.kill()
        self._process.wait()
        self._link.close()
        with contextlib.suppress(OSError):
            os.close(self._lifeline)

    def kill(self) -> None:
        """With whatever it may have started."""
        if self._process.returncode is None:  # its number is not another's yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _wait_until_ready(self) -> None:
        try:
            self._link.settimeout(START_SECONDS)
            wire.receive(self._link)
        except (TimeoutError, wire.WireBroken) as error:
            self.end()
            raise SandboxDown(f"a process for decoding does not start: {error}") from error

    def _died(self, seconds: float) -> MediaError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)  # it is dying by itself: the system says of what
        self.kill()
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            return TooSlow(f"decoding it takes more than {seconds:.0f} seconds of computing")
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return DecoderCrashed(f"the decoder did not survive it ({name})")


def _environment() -> dict[str, str]:
    """Only what the process needs to start: no setting, and no secret, of the one that serves."""
    import postscope

    package = str(Path(postscope.__file__).parents[1])
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV") if name in os.environ}
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    # One thread for what numpy computes: its pools would take most of the address space.
    return kept | {"PYTHONPATH": path, "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
                   "HF_HUB_OFFLINE": "1", "ORT_DISABLE_TELEMETRY": "1"}  # fmt: skip


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wire.WireBroken("a message without content")
    return value


def _said(error: dict[str, Any]) -> MediaError:
    reason = str(error.get("reason"))[:500]
    if error.get("code") == "out_of_memory":
        return OutOfMemory(reason)
    return error_of(str(error.get("code"))[:40], reason) or CorruptMedia(reason)
