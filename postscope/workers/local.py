"""The stages on threads of this process, for the embedded mode."""

from __future__ import annotations

import threading
import time

import structlog

from postscope.backend import runs, work
from postscope.backend.database_errors import why
from postscope.backend.jobs import LocalBell
from postscope.backend.runtime import Runtime
from postscope.backend.setting_groups import WorkSettings
from postscope.backend.work import Stage
from postscope.indexing.stores.base import StoreError
from postscope.indexing.stores.edge import EdgeStore
from postscope.indexing.stores.edge_build import IndexBuildFailed, IndexBuildStopped, build_index
from postscope.workers.deliveries import deliver_due
from postscope.workers.fingerprint_patrol import FingerprintPatrol
from postscope.workers.long_runs import work_runs
from postscope.workers.maintain import sweep
from postscope.workers.patrol import Patrol
from postscope.workers.stages import OUTAGES, run_stage

log = structlog.get_logger(__name__)

INDEX_CHECK_SECONDS = 30.0


# Fetching waits on the network and may have company; the encoder uses all cores by itself, so one thread feeds it.
# Taking videos apart has a thread of its own, and processes that make way for the others.
def _threads(stage: Stage, settings: WorkSettings) -> int:
    return settings.threads if stage is Stage.EXTRACT else 1


class LocalRunner:
    """Runs every stage until it is stopped. A thread that fails says so and goes on."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._loop, args=(stage,), name=f"{stage.value}-{n}", daemon=True)
            for stage in Stage
            for n in range(_threads(stage, runtime.settings.work))
        ] + [
            threading.Thread(target=self._runs, name="runs", daemon=True),
            threading.Thread(target=self._deliver, name="deliver", daemon=True),
            threading.Thread(target=self._sweep, name="sweep", daemon=True),
            threading.Thread(target=self._build_index, name="build-index", daemon=True),
        ]

    def start(self) -> None:
        """Take back what an earlier process left running, then start the threads.

        The embedded store has one owner, so nobody else can be at work now: whatever is marked as running was in
        the hands of a process that is gone.
        """
        with self._runtime.database.session() as session:
            left = work.abandon_all(session, now=self._runtime.clock())
            left += runs.reclaim(session, now=self._runtime.clock(), all_running=True)
        if left:
            log.warning("work_taken_back", rows=left)
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """Let each thread finish its batch."""
        self._stopping.set()
        self._runtime.stop_understanding()
        if isinstance(self._runtime.bell, LocalBell):
            for stage in Stage:
                self._runtime.bell.ring(stage)
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _loop(self, stage: Stage) -> None:
        bell = self._runtime.bell
        pause = self._runtime.settings.work.sweep_seconds
        while not self._stopping.is_set():
            try:
                run_stage(self._runtime, stage, stop=self._stopping.is_set)
            except Exception as error:
                _tell("stage_thread_failed", error, stage=stage.value)
                self._stopping.wait(pause)
            if isinstance(bell, LocalBell):
                bell.wait(stage, pause)
            else:
                self._stopping.wait(pause)

    def _runs(self) -> None:
        while not self._stopping.is_set():
            try:
                work_runs(self._runtime, stop=self._stopping.is_set)
            except Exception as error:
                _tell("runs_failed", error)
            self._stopping.wait(self._runtime.settings.work.sweep_seconds)

    def _deliver(self) -> None:
        while not self._stopping.wait(self._runtime.settings.work.sweep_seconds):
            try:
                deliver_due(self._runtime, stop=self._stopping.is_set)
            except Exception as error:
                _tell("deliveries_failed", error)

    def _build_index(self) -> None:
        """Beyond ``store.index_from`` posts that are scanned one by one, build the index beside and swap it in."""
        store, most = self._runtime.store, self._runtime.settings.store.index_from
        if not isinstance(store, EdgeStore):
            return
        while not self._stopping.wait(INDEX_CHECK_SECONDS):
            for collection in store.collections():
                try:
                    report = build_index(store, collection, more_than=most, stop=self._stopping)
                except IndexBuildStopped:
                    return
                except (IndexBuildFailed, StoreError):
                    log.exception("index_build_failed", collection=collection)
                else:
                    if report is not None:
                        log.info("index_built", collection=collection, report=str(report))

    def _sweep(self) -> None:
        patrol, fingerprints = Patrol(self._runtime), FingerprintPatrol(self._runtime)
        while not self._stopping.wait(self._runtime.settings.work.sweep_seconds * 5):
            try:
                sweep(self._runtime)
                patrol.step()
                fingerprints.step()
            except Exception as error:
                _tell("sweep_failed", error)


def _tell(event: str, error: Exception, **what: str) -> None:
    """One line where a part is down, which is tried again every few seconds; elsewhere all that is known."""
    if isinstance(error, OUTAGES):
        log.warning(event, reason=why(error), **what)
    else:
        log.error(event, exc_info=error, **what)
