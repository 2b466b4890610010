"""Bring the tables up to date. Works from an installed package: the configuration is built here, in code."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from postscope.backend.database import Database
from postscope.backend.errors import NotReady

_LOCK = 0x706F7374  # the bytes of "post": any number that nothing else in this database locks
_POLL_SECONDS = 0.1


def upgrade(url: str, *, wait_seconds: float = 300.0) -> None:
    """Upgrade the database to the newest revision that this version knows; harmless when it is there already.

    Of several that start at once one does the work and the others wait for it.

    Args:
        url: ``postgresql://user:password@host:port/name``.
        wait_seconds: how long to wait for another process that is migrating.

    Raises:
        NotReady: ``database_down``; ``migration_running``: another process has not finished in that time, or a
            lock on a table in use did not come (run it again); ``database_newer``: a newer version migrated it.
    """
    database = Database(url, pool_size=1, statement_timeout=0)  # building an index may take its time
    try:
        with database.engine.connect() as connection, _alone(connection, wait_seconds):
            _upgrade(connection)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
            raise NotReady("a table in use could not be locked; run it again", code="migration_running") from error
        raise NotReady("the database does not answer", code="database_down") from error
    finally:
        database.close()


def pending(connection: Connection) -> bool:
    """Whether the database lacks a revision that this version needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() != head


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    try:
        with _only_what_is_done():
            command.upgrade(config, "head")
    except CommandError as error:
        raise NotReady(
            f"the database has been migrated by a newer version of Postscope: {error}", code="database_newer"
        ) from error


@contextmanager
def _only_what_is_done() -> Iterator[None]:
    """Every command comes by here: one that finds nothing to do has nothing to tell."""
    logger = logging.getLogger("alembic.runtime.migration")
    logger.addFilter(_is_a_step)
    try:
        yield
    finally:
        logger.removeFilter(_is_a_step)


def _is_a_step(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(("Context impl ", "Will assume "))


def _config() -> Config:
    config = Config()
    # ConfigParser would read a percent sign in the path as an interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _alone(connection: Connection, wait_seconds: float) -> Iterator[None]:
    # Asking again and again instead of waiting inside PostgreSQL: a waiting statement would hold a snapshot, and
    # CREATE INDEX CONCURRENTLY waits for every snapshot, that is for the waiter.
    deadline = time.monotonic() + wait_seconds
    while not _try_lock(connection):
        if time.monotonic() >= deadline:
            raise NotReady("another process is migrating the database", code="migration_running")
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()


def _try_lock(connection: Connection) -> bool:
    taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar_one()
    connection.commit()
    return bool(taken)
