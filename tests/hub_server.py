"""A small server on this machine that speaks the protocol of the Hugging Face Hub, as far as its client asks.

``GET /api/models/{repo}`` lists files with their hashes, ``HEAD`` and ``GET /{repo}/resolve/{commit}/{file}`` give
them: small files themselves, large ones (LFS) by a redirect to another place, which takes ranges.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = 10_000
"""Bytes from which a file is kept with LFS."""


@dataclass
class Repo:
    """A model on the hub.

    Attributes:
        files: content by name.
        said: what the hub says of a file's content, where that is not true.
        cut: how many bytes of a file come before the connection breaks, and how often it breaks.
    """

    files: dict[str, bytes]
    licence: str | None = "mit"
    commit: str = "5a1b" * 10
    said: dict[str, bytes] = field(default_factory=dict)
    cut: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass
class Hub:
    """The server: what it has, and what it was asked for."""

    url: str
    repos: dict[str, Repo] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)

    def add(self, repo: str, folder: Path, **more: Any) -> Repo:
        """Put the files of a folder on the hub."""
        files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        self.repos[repo] = Repo(files, **more)
        return self.repos[repo]

    def given(self, name: str) -> list[str | None]:
        """The ranges in which a file was asked for, in order; None for all of it."""
        return [span for method, path, span in self.asked if method == "GET" and path.endswith(f"/{name}")]


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Serve on a port of the loopback address until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append((self.command, path, self.headers.get("Range")))
            for name, repo in hub.repos.items():
                if path in (f"/api/models/{name}", f"/api/models/{name}/revision/main"):
                    return self._json(_about(name, repo))
                for kind in ("resolve", "lfs"):
                    if path.startswith(f"/{name}/{kind}/"):
                        return self._file(name, repo, kind, path.removeprefix(f"/{name}/{kind}/"), body=body)
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self._end(b"", body=body)
            return None

        def _json(self, value: object) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self._end(json.dumps(value).encode(), body=True)

        def _file(self, name: str, repo: Repo, kind: str, rest: str, *, body: bool) -> None:
            revision, _, file = rest.partition("/")
            if file not in repo.files or revision not in (repo.commit, "main"):
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                return self._end(b"", body=body)
            content, said = repo.files[file], repo.said.get(file, repo.files[file])
            large = len(content) >= LARGE
            etag = hashlib.sha256(said).hexdigest() if large else git_hash(said)
            if large and kind == "resolve":
                self.send_response(302)
                self.send_header("Location", f"{hub.url}/{name}/lfs/{revision}/{file}")
                self.send_header("X-Linked-Size", str(len(content)))
                self.send_header("X-Linked-ETag", f'"{etag}"')
                self.send_header("X-Repo-Commit", repo.commit)
                return self._end(b"", body=body)
            first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
            self.send_response(206 if first else 200)
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            self.send_header("ETag", f'"{etag}"')
            self.send_header("X-Repo-Commit", repo.commit)
            most, times = repo.cut.get(file, (0, 0))
            if body and times:
                repo.cut[file] = (most, times - 1)
                self.send_header("Content-Length", str(len(content) - first))
                self.end_headers()
                self.wfile.write(content[first : first + most])
                self.close_connection = True
                return None
            return self._end(content[first:], body=body)

        def _end(self, content: bytes, *, body: bool) -> None:
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = Hub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _about(name: str, repo: Repo) -> dict[str, Any]:
    siblings = []
    for file, content in repo.files.items():
        said = repo.said.get(file, content)
        about: dict[str, Any] = {"rfilename": file, "size": len(content), "blobId": git_hash(said)}
        if len(content) >= LARGE:
            sha256 = hashlib.sha256(said).hexdigest()
            about["lfs"] = {"size": len(content), "sha256": sha256, "pointerSize": 134}
        siblings.append(about)
    card = {} if repo.licence is None else {"cardData": {"license": repo.licence}}
    return {"id": name, "modelId": name, "sha": repo.commit, "siblings": siblings, **card}
