"""The files around the embedded engine: who owns the folder, small JSON that is never half written, copies.

Layout of a store's folder::

    lock                                  held by the process that owns the store
    aliases.json                          {alias: collection}
    collections/<name>/collection.json    the manifest: dimension, fields, which shard is the live one
    collections/<name>/shard-<n>/         the engine's own files

A collection exists once its manifest does, and only the shard the manifest names is live: whatever else is
found when the store is opened was left by a crash and is removed.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from postscope.indexing.stores.base import FieldKind, StoreBusy, StoreUnavailable

MANIFEST = "collection.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a collection is.

    Attributes:
        dim: dimension of its vectors.
        fields: payload indexes.
        shard: number of the live shard's folder.
        indexed: how many points the last index build took in.
    """

    dim: int
    fields: dict[str, FieldKind]
    shard: int = 0
    indexed: int = 0

    def folder(self, collection: Path) -> Path:
        """The live shard's folder."""
        return collection / f"shard-{self.shard}"

    def next(self, indexed: int) -> Manifest:
        """The manifest that a finished index build puts in place."""
        return replace(self, shard=self.shard + 1, indexed=indexed)

    def save(self, collection: Path) -> None:
        """Put it in place, whole or not at all."""
        write_json(collection / MANIFEST, asdict(self))

    @classmethod
    def load(cls, collection: Path) -> Manifest:
        """Read it back.

        Raises:
            StoreUnavailable: the file is not a manifest.
        """
        path = collection / MANIFEST
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError) as error:
            raise StoreUnavailable(f"{path} is damaged: {error}") from error


class FolderLock:
    """Exclusive ownership of a folder, given up when the process ends in whatever way."""

    def __init__(self, folder: Path) -> None:
        """Take it.

        Raises:
            StoreBusy: somebody else has it.
        """
        self._file: IO[str] = (folder / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = self._owner()
            self._file.close()
            raise StoreBusy(f"{folder} is open in another process{owner}") from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def _owner(self) -> str:
        self._file.seek(0)
        pid = self._file.read()
        return f" (pid {pid})" if pid else ""

    def release(self) -> None:
        """Give it up."""
        self._file.close()


def write_json(path: Path, value: Any) -> None:
    """Replace the file at once: a reader, or a crash, finds either the old text or the new."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def read_json(path: Path, default: Any) -> Any:
    """The value in the file, or ``default`` where there is no file.

    Raises:
        StoreUnavailable: the file is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return default
    except ValueError as error:
        raise StoreUnavailable(f"{path} is damaged: {error}") from error


def remove_folder(folder: Path) -> None:
    """Delete a folder and all that is in it; what cannot be deleted goes when the store is next opened."""
    shutil.rmtree(folder, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_wal(shard: Path) -> None:
    """Make a shard's write-ahead log survive a power cut.

    The engine leaves this to the operating system until ``flush``. Done here it costs some milliseconds of a
    writer's time and, unlike ``flush``, holds no lock over the interpreter.
    """
    for path in (shard / "wal").iterdir():
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:  # the engine drops and renames its log files when it likes
            continue
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def live_collections(root: Path) -> Iterator[tuple[Path, Manifest]]:
    """Every collection under ``root``, after removing what crashes have left behind."""
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if not (folder / MANIFEST).exists():
            shutil.rmtree(folder)
            continue
        manifest = Manifest.load(folder)
        for path in folder.glob("shard-*"):
            if path != manifest.folder(folder):
                shutil.rmtree(path)
        yield folder, manifest


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a folder, leaving out the holes: the engine's files are mostly room for what is yet to come."""
    target.mkdir()
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir()
        else:
            _copy_file(path, copy)


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("wb") as writer:
        size = os.fstat(reader.fileno()).st_size
        writer.truncate(size)
        for start, end in _extents(reader.fileno(), size):
            reader.seek(start)
            writer.seek(start)
            _copy_bytes(reader, writer, end - start)


def _copy_bytes(reader: IO[bytes], writer: IO[bytes], left: int) -> None:
    while left > 0 and (block := reader.read(min(left, 1 << 20))):
        writer.write(block)
        left -= len(block)


def _extents(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Where a file holds data: (start, end) pairs. A file system without holes gives the whole file."""
    position = 0
    while position < size:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        position = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, position
