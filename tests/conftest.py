"""What every test may ask for: a real database, a clock that can be set, and the API over them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from postscope.backend.app import create_app
from postscope.backend.auth import Role, create_key
from postscope.backend.database import Database
from postscope.backend.logs import configure_logging
from postscope.backend.runtime import Runtime
from postscope.backend.settings import Settings, load_settings
from tests.memory_folder import temporary_files_in_memory
from tests.servers import RedisServer, TestDatabases, postgres_server

# How fast a machine draws examples, or runs one, is no property of what is tested.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    """Before the first temporary folder is made."""
    in_memory = temporary_files_in_memory()
    in_memory.__enter__()
    config.add_cleanup(lambda: in_memory.__exit__(None, None, None) and None)


class SetClock:
    """A clock that moves only when it is told to."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        """Move on, in the words of ``timedelta``."""
        self.now += timedelta(**amount)


@pytest.fixture(scope="session", autouse=True)
def _logging() -> None:
    """As in service: without it structlog draws every exception in colours, which takes a second."""
    configure_logging("warning")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of the PostgreSQL server of this run."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def databases(postgres: str) -> TestDatabases:
    return TestDatabases(postgres)


@pytest.fixture
def database_url(databases: TestDatabases) -> Iterator[str]:
    """A fresh database with all tables."""
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture
def empty_database_url(databases: TestDatabases) -> Iterator[str]:
    """A fresh database without tables."""
    url = databases.create(empty=True)
    yield url
    databases.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url, pool_size=5)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 3, 2, 12, tzinfo=UTC))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The defaults over a folder of the test, whatever the environment says."""
    for name in [name for name in os.environ if name.startswith("POSTSCOPE_")]:
        monkeypatch.delenv(name)
    return load_settings(data_dir=tmp_path / "data")


@pytest.fixture
def runtime(settings: Settings, database: Database, clock: SetClock) -> Iterator[Runtime]:
    opened = Runtime(settings, database, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    """The API without a key: ``headers=bearer(api_key(Role.ANALYST))`` gives it one."""
    with TestClient(create_app(runtime)) as opened:
        yield opened


ApiKeyMaker = Callable[..., str]


@pytest.fixture
def api_key(database: Database, clock: SetClock) -> ApiKeyMaker:
    """Makes a key with these roles and returns it."""

    def make(*roles: Role, name: str = "test") -> str:
        with database.session() as session:
            return create_key(session, name, roles, now=clock())[1]

    return make


def bearer(key: str) -> dict[str, str]:
    """Headers of a request with this key."""
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server; a test that stops it starts it again."""
    with RedisServer() as server:
        yield server
