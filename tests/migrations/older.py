"""A database as an older version left it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from sqlalchemy import Connection

from postscope.backend.database import Database
from postscope.migrations.run import _config


@contextmanager
def at_revision(database: Database, revision: str) -> Iterator[Connection]:
    """Migrate an empty database as far as ``revision``; what is written to it by then is committed."""
    with database.engine.connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
        yield connection
        connection.commit()
