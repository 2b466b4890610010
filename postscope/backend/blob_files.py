"""Blobs as files of the system, which another process can be given."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from postscope.backend.blobs import BlobStore


@contextlib.contextmanager
def as_file(blobs: BlobStore, sha256: str) -> Iterator[BinaryIO]:
    """A blob as an open file; a copy of it where the store has it elsewhere.

    Raises:
        BlobMissing: it is not there.
    """
    with blobs.open(sha256) as stream:
        try:
            stream.fileno()
        except OSError:
            with tempfile.TemporaryFile(prefix="medium-") as copy:
                shutil.copyfileobj(stream, copy)
                copy.flush()
                yield cast(BinaryIO, copy)
        else:
            yield stream
