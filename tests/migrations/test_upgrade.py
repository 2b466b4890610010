from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

import postscope.migrations
from postscope.backend.database import Database
from postscope.backend.errors import NotReady
from postscope.backend.tables import Base
from postscope.migrations.run import pending, upgrade
from tests.servers import TestDatabases

FOLDER = Path(postscope.migrations.__file__).parent
MIGRATIONS = sorted((FOLDER / "versions").glob("[0-9]*.py"))


@pytest.fixture
def url(empty_database_url: str) -> str:
    return empty_database_url


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    database = Database(url, pool_size=1)
    with database.engine.connect() as connection:
        yield connection
    database.close()


def drift(connection: Connection) -> list[object]:
    options = {"compare_server_default": True, "compare_type": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


def constraints(connection: Connection) -> set[tuple[str, str]]:
    rows = connection.execute(
        text("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid IN "
             "(SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname <> 'alembic_version')")
    )  # fmt: skip
    return {(row[0], row[1]) for row in rows}


def test_an_empty_database_is_upgraded_without_drift(url: str, connection: Connection) -> None:
    upgrade(url)
    assert drift(connection) == []


def test_drift_is_noticed(url: str, connection: Connection) -> None:
    upgrade(url)
    connection.execute(text("ALTER TABLE spaces DROP COLUMN audit"))
    assert drift(connection)


def test_constraints_and_indexes_are_those_of_the_tables(
    url: str, connection: Connection, databases: TestDatabases
) -> None:
    """What the comparison of Alembic does not look at: checks, partial indexes, and whether a table is logged."""
    upgrade(url)
    other = databases.create(empty=True)
    made = Database(other, pool_size=1)
    Base.metadata.create_all(made.engine)
    with made.engine.connect() as wanted:
        assert constraints(connection) == constraints(wanted)
        indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> :version"
        version = {"version": "alembic_version"}
        assert set(connection.execute(text(indexes), version)) == set(wanted.execute(text(indexes), version))
    made.close()
    databases.drop(other)


def test_pages_of_searches_are_not_logged(url: str, connection: Connection) -> None:
    upgrade(url)
    kinds = dict(connection.execute(text("SELECT relname, relpersistence FROM pg_class WHERE relkind = 'r'")).all())
    assert kinds["search_pages"] == "u"
    assert kinds["posts"] == "p"


def test_again_changes_nothing(url: str, connection: Connection) -> None:
    assert pending(connection)
    connection.rollback()
    upgrade(url)
    assert not pending(connection)
    upgrade(url)
    assert not pending(connection)


def test_only_what_is_done_is_told(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="alembic.runtime.migration"):
        upgrade(url)
        told = [record.getMessage() for record in caplog.records]
        assert len(told) == len(MIGRATIONS)
        assert all(line.startswith("Running upgrade") for line in told)
        upgrade(url)
        assert len(caplog.records) == len(told)


def test_two_starters_do_not_collide(url: str, connection: Connection) -> None:
    errors: list[BaseException] = []

    def start() -> None:
        try:
            upgrade(url)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert drift(connection) == []


def test_a_plain_url_of_postgresql_is_taken(url: str, connection: Connection) -> None:
    assert url.startswith("postgresql://")
    upgrade(url)
    assert not pending(connection)


def test_while_another_migrates_one_waits_and_then_says_so(url: str, connection: Connection) -> None:
    from postscope.migrations.run import _LOCK

    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
    with pytest.raises(NotReady) as caught:
        upgrade(url, wait_seconds=0)
    assert caught.value.code == "migration_running"
    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
    connection.commit()
    upgrade(url)
    assert not pending(connection)


def test_a_database_of_a_newer_version_is_refused_by_name(url: str, connection: Connection) -> None:
    upgrade(url)
    connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    connection.commit()
    with pytest.raises(NotReady) as caught:
        upgrade(url)
    assert caught.value.code == "database_newer"


def test_a_server_that_is_not_there_is_named_as_such() -> None:
    with pytest.raises(NotReady) as caught:
        upgrade("postgresql://nobody@127.0.0.1:1/nothing")
    assert caught.value.code == "database_down"


@pytest.mark.parametrize("path", [*MIGRATIONS, FOLDER / "script.py.mako"], ids=lambda path: path.name)
def test_every_migration_gives_up_a_lock_that_does_not_come(path: Path) -> None:
    upgrade_body = path.read_text().partition("def upgrade() -> None:")[2]
    first = next(line for line in upgrade_body.splitlines() if line.strip().startswith("op."))
    assert re.search(r"SET LOCAL lock_timeout = '\d+s'", first)
