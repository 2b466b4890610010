from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from postscope.backend.blobs import (
    BlobCorrupt,
    BlobMissing,
    BlobStore,
    BlobsUnavailable,
    LocalBlobs,
    open_blobs,
)

LARGE = bytes(range(256)) * 20_000  # 5 MB: several chunks
ABSENT = "0" * 64


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return (tmp_path / "a folder, not made yet").as_uri()
    return f"memory://{uuid.uuid4()}"


@pytest.fixture
def blobs(url: str) -> BlobStore:
    return open_blobs(url)


@pytest.fixture(params=["bytes", "path", "stream"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# --- the contract ----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"x", LARGE], ids=["empty", "one byte", "large"])
def test_what_is_put_is_got_back(blobs: BlobStore, kind: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "source"
    file.write_bytes(content)
    name = blobs.put({"bytes": content, "path": file, "stream": io.BytesIO(content)}[kind])
    assert name == hashlib.sha256(content).hexdigest()
    assert blobs.exists(name)
    assert blobs.get(name) == blobs.get(name, verify=True) == content
    with blobs.open(name) as stream:
        assert stream.read(3) == content[:3]
    assert file.exists()


def test_a_second_store_sees_it(url: str) -> None:
    name = open_blobs(url).put(b"shared")
    assert open_blobs(url).get(name) == b"shared"


def test_putting_twice_is_putting_once(blobs: BlobStore) -> None:
    assert blobs.put(b"same") == blobs.put(io.BytesIO(b"same"))
    blobs.delete(blobs.put(b"same"))
    assert not blobs.exists(hashlib.sha256(b"same").hexdigest())


def test_a_stream_is_read_from_where_it_stands(blobs: BlobStore) -> None:
    stream = io.BytesIO(b"skipped, kept")
    stream.seek(9)
    assert blobs.get(blobs.put(stream)) == b"kept"


def test_missing(blobs: BlobStore) -> None:
    assert not blobs.exists(ABSENT)
    with pytest.raises(BlobMissing, match=ABSENT):
        blobs.get(ABSENT)
    with pytest.raises(BlobMissing, match=ABSENT):
        blobs.open(ABSENT)
    blobs.delete(ABSENT)
    name = blobs.put(b"gone")
    blobs.delete(name)
    blobs.delete(name)
    with pytest.raises(BlobMissing):
        blobs.get(name)


@pytest.mark.parametrize("name", ["", "abc", "A" * 64, "../../etc/passwd", "0" * 63 + "/", "0" * 64 + "\n"])
def test_a_name_that_is_no_hash(blobs: BlobStore, name: str) -> None:
    for call in (blobs.get, blobs.open, blobs.exists, blobs.delete):
        with pytest.raises(ValueError, match="64 lower-case hex"):
            call(name)


def test_a_stream_that_fails_leaves_nothing(blobs: BlobStore) -> None:
    class Broken(io.RawIOBase):
        def __init__(self) -> None:
            self.left = [LARGE]

        def read(self, size: int = -1) -> bytes:
            if not self.left:
                raise ConnectionResetError("the sender went away")
            return self.left.pop()

    with pytest.raises(ConnectionResetError):
        blobs.put(Broken())
    assert not blobs.exists(hashlib.sha256(LARGE).hexdigest())


def test_threads_that_put_the_same(blobs: BlobStore) -> None:
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(blobs.put(LARGE))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 8
    assert blobs.get(names[0], verify=True) == LARGE


# --- local -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


def test_files_are_spread_and_nothing_else_is_left(folder: Path) -> None:
    name = LocalBlobs(folder).put(b"x")
    LocalBlobs(folder).put(b"x")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files == [folder / name[:2] / name[2:4] / name]


def test_a_corrupt_file_is_found_when_asked(folder: Path) -> None:
    store = LocalBlobs(folder)
    name = store.put(b"right")
    (folder / name[:2] / name[2:4] / name).write_bytes(b"wrong")
    assert store.get(name) == b"wrong"
    with pytest.raises(BlobCorrupt, match=name):
        store.get(name, verify=True)


def test_a_killed_writer_leaves_no_half_blob(folder: Path) -> None:
    code = (
        "import io, os, sys\n"
        "from pathlib import Path\n"
        "from postscope.backend.blobs import LocalBlobs\n"
        "class Deadly(io.RawIOBase):\n"
        "    sent = 0\n"
        "    def read(self, size=-1):\n"
        "        self.sent += 1\n"
        "        if self.sent > 3: os.kill(os.getpid(), 9)\n"
        "        return b'x' * size\n"
        "LocalBlobs(Path(sys.argv[1])).put(Deadly())\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(folder)], check=False).returncode == -9
    assert [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".new-")] == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BlobsUnavailable, match="fails"):
        LocalBlobs(tmp_path / "file" / "below").put(b"x")


# --- URLs ------------------------------------------------------------------------------------------


def test_plain_paths_and_escaped_urls_mean_the_same_folder(tmp_path: Path) -> None:
    folder = tmp_path / "with blank & ümlaut"
    name = open_blobs(str(folder)).put(b"x")
    assert open_blobs(folder.as_uri()).get(name) == b"x"
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(BlobsUnavailable, match=r"pip install 'postscope\[s3\]'"):
        open_blobs("s3://bucket/prefix")


@pytest.mark.parametrize("url", ["nothing://bucket", "file://two/slashes"])
def test_a_url_that_leads_nowhere(url: str) -> None:
    with pytest.raises(BlobsUnavailable, match="no blob store at"):
        open_blobs(url)
