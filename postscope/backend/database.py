"""The engine, one session per unit of work, and what happens after a commit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import orjson
import psycopg
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from postscope.backend.database_errors import UNABLE, unable

Clock = Callable[[], datetime]

_AFTER_COMMIT = "postscope.after_commit"
_LAST_USED = "postscope.last_used"

UNASKED_SECONDS = 1.0
"""How long after its last use a connection is trusted to be there."""


def utc_now() -> datetime:
    """The clock of a running system; tests hand in their own."""
    return datetime.now(UTC)


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Run ``action`` once if and when this session's transaction commits; a rollback forgets it."""
    session.info.setdefault(_AFTER_COMMIT, []).append(action)


class Database:
    """Connections to PostgreSQL. Safe to share between threads."""

    def __init__(self, url: str, *, pool_size: int = 10, statement_timeout: float = 60.0) -> None:
        options = f"-c statement_timeout={int(statement_timeout * 1000)} -c timezone=UTC"
        self.engine: Engine = create_engine(
            _with_driver(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            json_serializer=to_json,
            connect_args={"options": options, "connect_timeout": 5, "application_name": "postscope"},
        )
        event.listen(self.engine, "checkin", _note_use)
        event.listen(self.engine, "checkout", _ask_whether_it_lives)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        each_alone = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._each_alone = sessionmaker(each_alone, expire_on_commit=False)
        for sessions in (self._sessions, self._each_alone):
            event.listen(sessions, "after_commit", _run_after_commit)
            event.listen(sessions, "after_rollback", lambda session: session.info.pop(_AFTER_COMMIT, None))

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One unit of work: commits on success, rolls back on an exception."""
        with self._sessions.begin() as session:
            yield session

    @contextmanager
    def statements(self) -> Iterator[Session]:
        """A session in which every statement is a transaction of its own: for what reads, and writes one row at most.

        It sees what a session would, since PostgreSQL takes a snapshot a statement, and saves two turns with it. What
        was written stays when an exception follows.
        """
        with self._each_alone.begin() as session:
            yield session

    def ready(self) -> None:
        """Raise ``NotReady`` unless the database answers."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except UNABLE as error:
            raise unable(error) from error

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _note_use(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info[_LAST_USED] = time.monotonic()


def _ask_whether_it_lives(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
    """SQLAlchemy's ``pool_pre_ping`` asks before every use, which a search feels. Here one that was in use a moment ago
    is not asked: what breaks in that moment breaks as it would between two statements."""
    last = record.info.get(_LAST_USED)
    if last is None or time.monotonic() - last < UNASKED_SECONDS:
        return
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        cursor.close()
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError("the connection was lost while nobody used it") from error


def to_json(value: object) -> str:
    """As it is kept in a column of JSON."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # halves of surrogate pairs, and integers of more than 64 bits
        return json.dumps(value)


def _run_after_commit(session: Session) -> None:
    for action in session.info.pop(_AFTER_COMMIT, []):
        action()


def _with_driver(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if scheme in ("postgres", "postgresql"):
        scheme = "postgresql+psycopg"
    return f"{scheme}{separator}{rest}"
