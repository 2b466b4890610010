"""One collection of the embedded store: its shard, who may touch it when, what an index must catch up on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TypeVar
from uuid import UUID

import qdrant_edge as edge

from postscope.indexing.stores.base import (
    CollectionMissing,
    FieldKind,
    StoreBusy,
    StoreError,
    StoreUnavailable,
)
from postscope.indexing.stores.edge_codec import field_index, shard_config
from postscope.indexing.stores.edge_files import Manifest, copy_sparse, remove_folder, sync_wal
from postscope.indexing.stores.edge_turns import Turns

FLUSH_EVERY = 20_000
"""Points written between two flushes. A flush stops the interpreter for 50 to 400 ms, so it must be rare;
until it comes the write-ahead log holds the points. This bounds the log and the time its replay takes."""

T = TypeVar("T")


@contextmanager
def translated(name: str) -> Iterator[None]:
    """The engine's bare ``Exception`` as ours; what is ours or a caller's mistake passes through."""
    try:
        yield
    except (StoreError, ValueError, TypeError):
        raise
    except Exception as error:
        raise StoreUnavailable(f"collection {name!r}: {error}") from error
    except BaseException as error:
        # What breaks inside the engine comes as pyo3's PanicException, a BaseException that has no importable name;
        # it would end the thread that asked.
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise StoreUnavailable(f"collection {name!r}: the engine broke down: {error}") from error


class EdgeCollection:
    """A shard and its folder.

    Two locks. ``_turns`` is held for one engine call at a time, queries and writes alike. ``_writing`` is
    held around a slice of writes, and for as long as writes must pause: while the shard is copied and while a
    new one is put in its place. It is always taken first. ``written`` counts what was written since the shard
    was opened or built.
    """

    def __init__(self, folder: Path, manifest: Manifest, shard: edge.EdgeShard) -> None:
        self.folder = folder
        self.manifest = manifest
        self._shard: edge.EdgeShard | None = shard
        self._gone: StoreError | None = None
        self._turns = Turns()
        self._writing = Lock()
        self.written = 0
        self._unflushed = 0
        self._journal: set[UUID] | None = None

    @property
    def name(self) -> str:
        """The collection's own name."""
        return self.folder.name

    @classmethod
    def create(cls, folder: Path, dim: int, fields: dict[str, FieldKind]) -> EdgeCollection:
        """A new, empty one; the manifest is written last, so that a crash leaves nothing half made."""
        manifest = Manifest(dim, fields)
        remove_folder(folder)  # a drop while an index was being built may have left files
        folder.mkdir()
        with translated(folder.name):
            shard = edge.EdgeShard.create(str(manifest.folder(folder)), shard_config(dim))
            for field, kind in fields.items():
                shard.update(field_index(field, kind))
            shard.flush()
        manifest.save(folder)
        return cls(folder, manifest, shard)

    @classmethod
    def load(cls, folder: Path, manifest: Manifest) -> EdgeCollection:
        """One that is on disk; what the write-ahead log holds is replayed."""
        with translated(folder.name):
            return cls(folder, manifest, edge.EdgeShard.load(str(manifest.folder(folder))))

    def read(self, ask: Callable[[edge.EdgeShard], T]) -> T:
        """Ask the engine, when it is our turn."""
        with self._turns, translated(self.name):
            return ask(self._live())

    def write(self, ids: Sequence[UUID], operations: Sequence[edge.UpdateOperation]) -> None:
        """Apply one slice of changes to the points ``ids``; ``sync`` makes it survive a power cut."""
        with self._writing:
            if self._journal is not None:
                self._journal.update(ids)
            with self._turns, translated(self.name):
                shard = self._live()
                for operation in operations:
                    shard.update(operation)
            self._unflushed += len(ids)
            self.written += len(ids)

    def add_fields(self, fields: Mapping[str, FieldKind]) -> None:
        """Index these payload fields too, those that are indexed already left as they are.

        Raises:
            StoreBusy: an index is being built on a copy that would not have them.
        """
        missing = {name: kind for name, kind in fields.items() if name not in self.manifest.fields}
        if not missing:
            return
        with self._writing:
            if self._journal is not None:
                raise StoreBusy(f"collection {self.name!r}: an index is being built")
            with self._turns, translated(self.name):
                shard = self._live()
                for field, kind in missing.items():
                    shard.update(field_index(field, kind))
                shard.flush()
            # Last, so that a crash in between only makes it do this again.
            self.manifest = replace(self.manifest, fields=self.manifest.fields | missing)
            self.manifest.save(self.folder)

    def sync(self) -> None:
        """Put everything written so far on the disk itself."""
        with self._writing:
            if self._unflushed >= FLUSH_EVERY:
                self._flush()
            else:
                self._live()
                with translated(self.name):
                    sync_wal(self.manifest.folder(self.folder))

    def ensure_live(self) -> None:
        """Raise what any call would raise if the collection was closed or removed."""
        if self._gone is not None:
            raise self._gone

    def _flush(self) -> None:
        with self._turns, translated(self.name):
            self._live().flush()
        self._unflushed = 0

    def _live(self) -> edge.EdgeShard:
        self.ensure_live()
        if self._shard is None:
            raise StoreUnavailable(f"collection {self.name!r}: closing it failed")
        return self._shard

    # --- leaving --------------------------------------------------------------------------------------

    def close(self) -> None:
        """Flush and let go of the files; later calls raise ``StoreUnavailable``."""
        self._leave(StoreUnavailable(f"collection {self.name!r}: the store is closed"), lambda shard: shard.flush())

    def remove(self) -> None:
        """Let go of the files and delete them; later calls raise ``CollectionMissing``."""
        self._leave(CollectionMissing(f"no collection or alias {self.name!r}"), lambda _shard: None)
        remove_folder(self.folder)

    def _leave(self, reason: StoreError, last: Callable[[edge.EdgeShard], None]) -> None:
        with self._writing, self._turns, translated(self.name):
            if self._gone is None:
                shard = self._live()
                self._gone, self._shard = reason, None
                last(shard)
                shard.close()

    # --- building an index beside (edge_build) --------------------------------------------------------

    def begin_copy(self, target: Path) -> None:
        """Copy the shard to ``target`` and from then on note every id that is written.

        Writers wait while this runs; queries wait only for the flush before it.

        Raises:
            StoreBusy: a build is under way already.
        """
        with self._writing:
            self.ensure_live()
            if self._journal is not None:
                raise StoreBusy(f"collection {self.name!r}: an index is being built already")
            self._flush()
            try:
                copy_sparse(self.manifest.folder(self.folder), target)
            except BaseException:
                remove_folder(target)
                raise
            self._journal = set()

    def take_journal(self) -> set[UUID]:
        """The ids written since the copy or the last call."""
        with self._writing:
            ids, self._journal = self._journal or set(), set()
            return ids

    def abandon_copy(self) -> None:
        """Stop noting ids."""
        with self._writing:
            self._journal = None

    def swap(self, shard: edge.EdgeShard, manifest: Manifest, catch_up: Callable[[set[UUID]], None]) -> None:
        """Make ``shard`` the live one after ``catch_up`` has brought over the last ids; drop the old.

        Writers wait while this runs; queries wait only while one shard is exchanged for the other.
        """
        with self._writing, translated(self.name):
            catch_up(self._journal or set())
            sync_wal(manifest.folder(self.folder))
            with self._turns:
                old = self._live()
                manifest.save(self.folder)
                self._shard = shard
                old_folder, self.manifest = self.manifest.folder(self.folder), manifest
                self.written = len(self._journal or ())
                self._journal = None
                self._unflushed = 0
            old.close()
        remove_folder(old_folder)
