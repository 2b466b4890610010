"""The search graph of an embedded collection, built beside it in another process and put in place at once.

The engine's ``optimize`` holds Python's interpreter from beginning to end, minutes for a large collection, so
it never runs in the process that serves::

    copy the shard      writers wait, ids written from here on are noted
    index               a child process at low priority runs ``optimize`` on the copy
    catch up            points noted meanwhile are read from the live shard and written to the copy
    swap                the last of them, then the manifest names the new shard; writers wait

Killed at any moment, the live shard is what it was, and the next ``EdgeStore`` removes what was left.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Literal
from uuid import UUID

import qdrant_edge as edge

from postscope.indexing.child_process import die_with_parent
from postscope.indexing.stores.base import StoreError
from postscope.indexing.stores.edge import WRITE_SLICE, EdgeStore
from postscope.indexing.stores.edge_codec import shard_config
from postscope.indexing.stores.edge_collection import EdgeCollection, translated
from postscope.indexing.stores.edge_files import Manifest, remove_folder
from postscope.indexing.stores.layout import slices

FEW = 256
"""Noted points that may be left to the swap: about 50 ms for waiting writers."""
ROUNDS = 10
"""Rounds of catching up before the swap is made whatever is left: writers may outrun us for ever."""
POLL = 0.1
"""Seconds between two looks at the child."""

Phase = Literal["copy", "index", "catch up", "swap"]
Progress = Callable[[Phase, int, int], None]
"""Called with the phase, how much of it is done, and of how much; the index phase counts seconds, of 0."""


class IndexBuildFailed(StoreError):
    """The child process failed; the message ends with what it said. The live shard is untouched."""


class IndexBuildStopped(StoreError):
    """The caller's ``stop`` was set. The live shard is untouched."""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did, in points and seconds."""

    points: int
    caught_up: int
    copy_seconds: float
    index_seconds: float
    swap_seconds: float


def unindexed(store: EdgeStore, collection: str) -> int:
    """About how many points are scanned because no index build has taken them in as they are now.

    Points replaced before the store was last opened count as indexed; points written twice count twice.
    """
    count, source = store.count(collection), store.collection(collection)
    return min(count, max(count - source.manifest.indexed, source.written))


def build_index(
    store: EdgeStore,
    collection: str,
    *,
    more_than: int = 0,
    threads: int = 1,
    stop: Event | None = None,
    progress: Progress | None = None,
) -> BuildReport | None:
    """Index a collection while it is read and written; long, so call it from a thread of its own.

    Args:
        store: the store that owns the collection.
        collection: its name or an alias.
        more_than: do nothing, and return None, unless more points than this are unindexed.
        threads: how many the child process may use.
        stop: when set, give up within a fraction of a second.
        progress: told how far it is.

    Raises:
        StoreBusy: an index of this collection is being built already.
        IndexBuildStopped: ``stop`` was set.
        IndexBuildFailed: the child process failed.
    """
    if unindexed(store, collection) <= more_than:
        return None
    return _Build(store.collection(collection), stop or Event(), progress or _silent, threads).run()


def _silent(phase: Phase, done: int, total: int) -> None:
    """Nobody wants to know."""


class _Build:
    """One build of one collection; used once."""

    def __init__(self, source: EdgeCollection, stop: Event, progress: Progress, threads: int) -> None:
        self._source = source
        self._stop = stop
        self._progress = progress
        self._threads = threads
        self._caught_up = 0

    def run(self) -> BuildReport:
        started = time.perf_counter()
        points: int = self._source.read(lambda shard: shard.count(edge.CountRequest(exact=True)))
        manifest = self._source.manifest.next(points)
        target = manifest.folder(self._source.folder)
        self._progress("copy", 0, 1)
        self._source.begin_copy(target)
        try:
            copied = time.perf_counter()
            self._index(target)
            indexed = time.perf_counter()
            swap_seconds = self._take_over(target, manifest)
        except BaseException:
            self._source.abandon_copy()
            remove_folder(target)
            raise
        return BuildReport(points, self._caught_up, copied - started, indexed - copied, swap_seconds)

    def _index(self, target: Path) -> None:
        command = [sys.executable, "-m", "postscope.indexing.stores.edge_build", str(target)]
        command += ["--dim", str(self._source.manifest.dim), "--threads", str(self._threads)]
        started = time.monotonic()
        with (
            tempfile.TemporaryFile("w+") as said,
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=said) as child,
        ):
            try:
                while child.poll() is None:
                    self._progress("index", int(time.monotonic() - started), 0)
                    self._source.ensure_live()
                    if self._stop.wait(POLL):
                        raise IndexBuildStopped(f"collection {self._source.name!r}: stopped while indexing")
            finally:
                child.kill()
            if child.returncode:
                said.seek(0)
                reason = f"exit {child.returncode}: {said.read().strip()[-2000:]}"
                raise IndexBuildFailed(f"collection {self._source.name!r}: {reason}")

    def _take_over(self, target: Path, manifest: Manifest) -> float:
        """Catch up and swap; how long writers waited for the swap."""
        with translated(self._source.name):
            shard = edge.EdgeShard.load(str(target))
        try:
            self._catch_up_rounds(shard)
            self._progress("swap", 0, 1)
            started = time.perf_counter()
            self._source.swap(shard, manifest, lambda ids: self._bring_over(shard, ids))
        except BaseException:
            shard.close()
            raise
        return time.perf_counter() - started

    def _catch_up_rounds(self, shard: edge.EdgeShard) -> None:
        for _ in range(ROUNDS):
            ids = self._source.take_journal()
            self._bring_over(shard, ids)
            if len(ids) <= FEW:
                break
        shard.flush()

    def _bring_over(self, shard: edge.EdgeShard, ids: Iterable[UUID]) -> None:
        """Make the points ``ids`` of the copy what they are in the live shard now: present or gone."""
        todo = list(ids)
        for part in slices(todo, WRITE_SLICE):
            if self._stop.is_set():
                raise IndexBuildStopped(f"collection {self._source.name!r}: stopped while catching up")
            _copy_points(self._source, shard, list(part))
            self._caught_up += len(part)
            self._progress("catch up", self._caught_up, self._caught_up + len(todo))


def _copy_points(source: EdgeCollection, shard: edge.EdgeShard, ids: list[UUID]) -> None:
    records = source.read(lambda live: live.retrieve(list(ids), True, True))
    gone = set(ids) - {record.id for record in records}
    points = [edge.Point(record.id, record.vector or {}, record.payload) for record in records]
    with translated(source.name):
        shard.update(edge.UpdateOperation.upsert_points(points))
        shard.update(edge.UpdateOperation.delete_points(list(gone)))


def main(arguments: list[str] | None = None) -> None:
    """The child process: index one shard folder, which nobody else has open."""
    parser = argparse.ArgumentParser(description="Build the search graph of one shard folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dim", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    die_with_parent()  # our folder is removed at its next start, and must not be in use
    os.nice(10)
    shard = edge.EdgeShard.load(str(options.folder), shard_config(options.dim, threads=options.threads))
    shard.optimize()
    shard.flush()
    shard.close()


if __name__ == "__main__":
    main()
