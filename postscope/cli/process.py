"""Opens and closes what a command needs, in the right order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from postscope.backend.database import Database
from postscope.backend.errors import BadSettings
from postscope.backend.logs import configure_logging
from postscope.backend.postgres import EmbeddedPostgres
from postscope.backend.postgres_watch import kept_up
from postscope.backend.runtime import Runtime
from postscope.backend.settings import Mode, Settings, unread_variables
from postscope.migrations.collections.live import ensure_live_space
from postscope.migrations.run import upgrade

log = structlog.get_logger(__name__)


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The database of the settings; the embedded one runs at least as long as the block."""
    if settings.database.url is not None:
        yield settings.database.url.get_secret_value()
        return
    if settings.mode is not Mode.EMBEDDED:
        raise BadSettings("the distributed mode needs POSTSCOPE_DATABASE__URL")
    postgres = EmbeddedPostgres(settings.data_dir)
    postgres.start()
    try:
        with kept_up(postgres):
            yield postgres.url
    finally:
        postgres.stop()


@contextmanager
def opened(settings: Settings, *, migrate: bool | None = None) -> Iterator[Runtime]:
    """A runtime over a database of the newest version.

    Args:
        settings: the whole tree.
        migrate: bring the database up to date first; by default in the embedded mode only, because in the
            distributed mode a step of its own does it once.
    """
    configure_logging(settings.log_level, settings.log_format)
    if unread := unread_variables(os.environ):
        log.warning("unread_settings", names=unread)
    with database_url(settings) as url:
        if migrate if migrate is not None else settings.mode is Mode.EMBEDDED:
            upgrade(url)
        database = Database(
            url,
            pool_size=settings.database.pool_size,
            statement_timeout=settings.database.statement_timeout_seconds,
        )
        runtime = Runtime(settings, database)
        try:
            yield runtime
        finally:
            runtime.close()


def prepare_space(runtime: Runtime) -> None:
    """Make the collection of the live space where there is none yet."""
    ensure_live_space(runtime)
