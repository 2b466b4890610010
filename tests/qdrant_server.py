"""A process that speaks Qdrant's REST protocol, so that several processes of a test can share one vector store.

This is **not** the Qdrant server: behind the protocol is the engine that the Python client brings for its own local
mode, which scans every point under one lock. It shows that ``QdrantStore`` works over the wire and that processes
meet in one store; it says nothing of a real server's speed, replication or approximate index. Only the calls that
``postscope.indexing.stores.qdrant`` makes are understood.

    python -m tests.qdrant_server PORT [FOLDER]
"""

from __future__ import annotations

import json
import re
import sys
import threading
import warnings
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ValidationError
from qdrant_client import QdrantClient, models

Answer = Callable[[str, bytes], Any]
"""A collection's name (empty where the path has none) and the body, to the result."""

DONE = models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)


class Engine:
    """The client's local engine, one call at a time.

    Args:
        folder: where the points are kept; None keeps them in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._client = (
            QdrantClient(":memory:")
            if folder is None
            else QdrantClient(path=str(folder), force_disable_check_same_thread=True)
        )
        self._lock = threading.Lock()
        one = r"^/collections/([^/]+)"
        self._routes: list[tuple[str, re.Pattern[str], Answer]] = [
            (method, re.compile(pattern), answer)
            for method, pattern, answer in (
                ("GET", r"^/collections$", self._list),
                ("GET", r"^/aliases$", self._aliases),
                ("POST", r"^/collections/aliases$", self._change_aliases),
                ("GET", one + r"/exists$", self._exists),
                ("GET", one + "$", self._info),
                ("PUT", one + "$", self._create),
                ("DELETE", one + "$", self._drop),
                ("PUT", one + r"/index$", self._index),
                ("PUT", one + r"/points$", self._upsert),
                ("POST", one + r"/points$", self._retrieve),
                ("POST", one + r"/points/batch$", self._batch),
                ("POST", one + r"/points/delete$", self._delete),
                ("POST", one + r"/points/query/batch$", self._query),
                ("POST", one + r"/points/scroll$", self._scroll),
                ("POST", one + r"/points/count$", self._count),
                ("POST", one + r"/facet$", self._facet),
            )
        ]

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and body of one request; the errors have the server's statuses."""
        for allowed, pattern, answer in self._routes:
            if allowed != method or not (found := pattern.match(path)):
                continue
            try:
                with self._lock, warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # the engine says of itself that it scans
                    result = answer(unquote(found[1]) if pattern.groups else "", body)
            except (ValueError, ValidationError) as error:
                return _status(str(error)), {"status": {"error": str(error)}, "time": 0.0}
            return 200, {"result": _plain(result), "status": "ok", "time": 0.0}
        return 404, {"status": {"error": f"no such call: {method} {path}"}, "time": 0.0}

    def close(self) -> None:
        """Let go of the folder."""
        self._client.close()

    def _list(self, _name: str, _body: bytes) -> Any:
        return self._client.get_collections()

    def _aliases(self, _name: str, _body: bytes) -> Any:
        return self._client.get_aliases()

    def _change_aliases(self, _name: str, body: bytes) -> bool:
        return self._client.update_collection_aliases(models.ChangeAliasesOperation.model_validate_json(body).actions)

    def _exists(self, name: str, _body: bytes) -> Any:
        return {"exists": self._client.collection_exists(name)}

    def _info(self, name: str, _body: bytes) -> Any:
        return self._client.get_collection(name)

    def _create(self, name: str, body: bytes) -> bool:
        asked = models.CreateCollection.model_validate_json(body)
        return self._client.create_collection(
            name, vectors_config=asked.vectors, sparse_vectors_config=asked.sparse_vectors
        )

    def _drop(self, name: str, _body: bytes) -> bool:
        return self._client.delete_collection(name)

    def _index(self, name: str, _body: bytes) -> Any:
        self._client.get_collection(name)  # the engine has no payload indexes and would not look at the name
        return DONE

    def _upsert(self, name: str, body: bytes) -> Any:
        return self._client.upsert(name, models.PointsList.model_validate_json(body).points)

    def _retrieve(self, name: str, body: bytes) -> Any:
        asked = models.PointRequest.model_validate_json(body)
        return self._client.retrieve(
            name,
            asked.ids,
            with_payload=True if asked.with_payload is None else asked.with_payload,
            with_vectors=asked.with_vector or False,
        )

    def _batch(self, name: str, body: bytes) -> Any:
        operations = models.UpdateOperations.model_validate_json(body).operations
        self._client.batch_update_points(name, operations)
        return [DONE for _ in operations]

    def _delete(self, name: str, body: bytes) -> Any:
        return self._client.delete(name, models.PointIdsList.model_validate_json(body).points)

    def _query(self, name: str, body: bytes) -> Any:
        return self._client.query_batch_points(name, models.QueryRequestBatch.model_validate_json(body).searches)

    def _scroll(self, name: str, body: bytes) -> Any:
        asked = models.ScrollRequest.model_validate_json(body)
        points, following = self._client.scroll(
            name,
            asked.filter,
            limit=asked.limit or 10,
            offset=asked.offset,
            with_payload=True if asked.with_payload is None else asked.with_payload,
            with_vectors=asked.with_vector or False,
        )
        return {"points": points, "next_page_offset": following}

    def _count(self, name: str, body: bytes) -> Any:
        return self._client.count(name, models.CountRequest.model_validate_json(body).filter)

    def _facet(self, name: str, body: bytes) -> Any:
        asked = models.FacetRequest.model_validate_json(body)
        return self._client.facet(name, asked.key, asked.filter, limit=asked.limit or 10)


class Handler(BaseHTTPRequestHandler):
    """HTTP to the engine of the server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert isinstance(self.server, Server)
        status, answer = self.server.engine.answer(self.command, urlsplit(self.path).path, body)
        encoded = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request."""


class Server(ThreadingHTTPServer):
    """Listens on the loopback interface; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, port: int, folder: Path | None = None) -> None:
        self.engine = Engine(folder)
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        """Where it is to be found."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def server_close(self) -> None:
        """Stop listening and let go of the folder."""
        super().server_close()
        self.engine.close()


def _plain(result: Any) -> Any:
    if isinstance(result, BaseModel):
        return result.model_dump(mode="json", exclude_none=True)
    if isinstance(result, list):
        return [_plain(item) for item in result]
    if isinstance(result, dict):
        return {key: _plain(value) for key, value in result.items()}
    return result


def _status(reason: str) -> int:
    if re.match(r"Collection .* not found", reason):
        return 404
    return 409 if "already exists" in reason else 400


def main() -> None:
    """Serve until killed."""
    server = Server(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    server.serve_forever()


if __name__ == "__main__":
    main()
