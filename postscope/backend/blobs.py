"""Where media files are kept, by what they contain: a blob's name is the SHA-256 of its content.

The same content twice is one blob, a blob never changes, and putting and deleting may be repeated.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Protocol, TypeAlias, cast
from urllib.parse import unquote, urlsplit

_NAME: Final = re.compile(r"[0-9a-f]{64}")
_CHUNK: Final = 1024 * 1024

Content: TypeAlias = bytes | Path | IO[bytes]
"""What can be put: the bytes, a file's path, or a stream that is read to its end."""


class BlobError(Exception):
    """Root of what a blob store raises.

    BlobError
    ├── BlobMissing          no blob of this name
    ├── BlobCorrupt          the content kept under a name does not have that hash
    └── BlobsUnavailable     the store cannot be reached, or a library for it is missing
    """


class BlobMissing(BlobError):
    """No blob of this name."""


class BlobCorrupt(BlobError):
    """The content kept under a name does not have that hash."""


class BlobsUnavailable(BlobError):
    """The store cannot be reached or used now."""


class BlobStore(Protocol):
    """Content-addressed files. A name is a SHA-256 in 64 lower-case hex digits; others raise ``ValueError``.

    A blob is either wholly there or not there at all, also after a crash. Safe to use from several threads
    and processes at once.
    """

    def put(self, content: Content) -> str:
        """Keep it and give its name. A stream is read from where it stands; what it raises goes through."""
        ...

    def open(self, sha256: str) -> BinaryIO:
        """Read as a stream; the caller closes it. Raises ``BlobMissing``."""
        ...

    def get(self, sha256: str, *, verify: bool = False) -> bytes:
        """Read whole. ``verify`` computes the hash again. Raises ``BlobMissing``, ``BlobCorrupt``."""
        ...

    def exists(self, sha256: str) -> bool:
        """Whether there is a blob of this name."""
        ...

    def delete(self, sha256: str) -> None:
        """Remove it; a missing one is silent."""
        ...


def open_blobs(url: str, **options: Any) -> BlobStore:
    """The store at an fsspec URL such as ``file:///var/lib/blobs``, ``s3://bucket/prefix`` or ``memory://name``.

    Args:
        url: a plain path is a local one.
        options: for the file system, such as S3's ``endpoint_url``.

    Raises:
        BlobsUnavailable: the URL is wrong, or the library for its protocol is missing (the extra is named).
    """
    import fsspec

    parts = urlsplit(url)
    if parts.scheme in ("", "file", "local"):
        # as_uri() escapes blanks and the like, which fsspec would take literally
        if parts.scheme and parts.netloc not in ("", "localhost"):
            raise BlobsUnavailable(f"no blob store at {url}: a local folder is written file:///folder")
        return LocalBlobs(Path(unquote(parts.path) if parts.scheme else url))
    try:
        files, root = fsspec.url_to_fs(url, use_listings_cache=False, **options)
    except ImportError as error:
        extra = "s3" if parts.scheme in ("s3", "s3a") else None
        hint = f"pip install 'postscope[{extra}]'" if extra else str(error)
        raise BlobsUnavailable(f"blobs at {parts.scheme}:// need a library that is missing: {hint}") from error
    except ValueError as error:
        raise BlobsUnavailable(f"no blob store at {parts.scheme}://: {error}") from error
    return RemoteBlobs(files, str(root))


class LocalBlobs:
    """Blobs in a folder: written beside, synced to disk, then renamed into place.

    Args:
        root: the folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def put(self, content: Content) -> str:
        """See ``BlobStore.put``."""
        with _disk_errors():
            self._root.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".new-", dir=self._root)
        try:
            with os.fdopen(handle, "wb") as out:
                sha256 = _copied(content, out)
                if not self.exists(sha256):
                    self._place(out, name, self._path(sha256))
        finally:
            Path(name).unlink(missing_ok=True)
        return sha256

    def open(self, sha256: str) -> BinaryIO:
        """See ``BlobStore.open``."""
        with _disk_errors(sha256):
            return self._path(sha256).open("rb")

    def get(self, sha256: str, *, verify: bool = False) -> bytes:
        """See ``BlobStore.get``."""
        with self.open(sha256) as stream, _disk_errors(sha256):
            return _verified(stream.read(), sha256, verify)

    def exists(self, sha256: str) -> bool:
        """Whether there is a blob of this name."""
        with _disk_errors():
            return self._path(sha256).is_file()

    def delete(self, sha256: str) -> None:
        """See ``BlobStore.delete``."""
        with _disk_errors():
            self._path(sha256).unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self._root / _key(sha256)

    @staticmethod
    def _place(out: IO[bytes], name: str, target: Path) -> None:
        with _disk_errors():
            out.flush()
            os.fsync(out.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            Path(name).replace(target)
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the name, too, must survive a power cut
            finally:
                os.close(folder)


class RemoteBlobs:
    """Blobs on any other fsspec file system, whose single writes are all or nothing (object stores, memory).

    Args:
        files: an ``fsspec.AbstractFileSystem``.
        root: path under which the blobs are kept.
    """

    def __init__(self, files: Any, root: str) -> None:
        self._files = files
        self._root = root.rstrip("/")

    def put(self, content: Content) -> str:
        """See ``BlobStore.put``. The name is known only at the end, so the content is staged on the way."""
        with tempfile.NamedTemporaryFile(prefix="blob-") as staged:
            sha256 = _copied(content, staged)
            staged.flush()
            if not self.exists(sha256):
                with _remote_errors():  # not through open(): it would commit half a file when it is interrupted
                    self._files.put_file(staged.name, self._path(sha256))
        return sha256

    def open(self, sha256: str) -> BinaryIO:
        """See ``BlobStore.open``."""
        path = self._path(sha256)
        with _remote_errors(sha256):
            return cast("BinaryIO", self._files.open(path, "rb"))

    def get(self, sha256: str, *, verify: bool = False) -> bytes:
        """See ``BlobStore.get``."""
        path = self._path(sha256)
        with _remote_errors(sha256):
            content = bytes(self._files.cat_file(path))
        return _verified(content, sha256, verify)

    def exists(self, sha256: str) -> bool:
        """Whether there is a blob of this name."""
        path = self._path(sha256)
        with _remote_errors():
            return bool(self._files.isfile(path))

    def delete(self, sha256: str) -> None:
        """See ``BlobStore.delete``."""
        path = self._path(sha256)
        with _remote_errors(), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(path)

    def _path(self, sha256: str) -> str:
        return f"{self._root}/{_key(sha256)}"


def _key(sha256: str) -> str:
    """Spread over folders, so that none holds millions of files."""
    if not _NAME.fullmatch(sha256):
        raise ValueError(f"sha256: {sha256[:80]!r} is not 64 lower-case hex digits")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _copied(content: Content, out: IO[bytes]) -> str:
    """Copy in constant memory; the hash of what was copied. What reading raises is the caller's own."""
    digest = hashlib.sha256()
    with _as_stream(content) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            with _disk_errors():
                out.write(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _as_stream(content: Content) -> Iterator[IO[bytes]]:
    if isinstance(content, bytes):
        yield io.BytesIO(content)
    elif isinstance(content, Path):
        with content.open("rb") as stream:
            yield stream
    else:
        yield content


def _verified(content: bytes, sha256: str, verify: bool) -> bytes:
    if verify and hashlib.sha256(content).hexdigest() != sha256:
        raise BlobCorrupt(f"the blob {sha256} has another content than when it was put")
    return content


@contextlib.contextmanager
def _disk_errors(sha256: str | None = None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if sha256 is not None and isinstance(error, FileNotFoundError):
            raise BlobMissing(f"no blob {sha256}") from error
        raise BlobsUnavailable(f"the blob store fails: {error}") from error


@contextlib.contextmanager
def _remote_errors(sha256: str | None = None) -> Iterator[None]:
    """File systems translate what they know into OSError and let their client's own errors through."""
    try:
        yield
    except FileNotFoundError as error:
        if sha256 is None:
            raise BlobsUnavailable(f"the blob store fails: {error}") from error
        raise BlobMissing(f"no blob {sha256}") from error
    except Exception as error:
        raise BlobsUnavailable(f"the blob store fails: {type(error).__name__}: {error}") from error
