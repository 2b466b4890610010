"""Connections: those that break while nobody uses them are replaced, and nobody hears of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import cast, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB

from postscope.backend import database as module
from postscope.backend.database import Database, after_commit


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url, pool_size=2)
    yield opened
    opened.close()


def own_pid(database: Database) -> int:
    with database.session() as session:
        return int(session.scalar(text("SELECT pg_backend_pid()")) or 0)


def test_a_connection_that_broke_while_it_was_idle_is_replaced(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNASKED_SECONDS", 0.0)
    lost = own_pid(database)
    other = Database(database_url, pool_size=1)
    with other.session() as session:
        session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": lost})
    other.close()
    assert own_pid(database) != lost


def test_one_that_was_used_a_moment_ago_is_used_again(database: Database) -> None:
    assert own_pid(database) == own_pid(database)


@pytest.mark.parametrize(
    "value",
    [{"a": [1, 2.5, None, True]}, {"1": "ünï 😀"}, {"big": 2**70}, [], "text"],
    ids=["plain", "unicode", "big", "empty", "string"],
)
def test_json_is_kept_as_it_is(database: Database, value: object) -> None:
    with database.session() as session:
        assert session.scalar(select(cast(literal(value, JSONB), JSONB))) == value


def test_statements_stand_alone_and_a_session_after_them_is_whole_again(database: Database) -> None:
    with database.session() as session:
        session.execute(text("CREATE TABLE kept (word text)"))
    with pytest.raises(RuntimeError), database.statements() as session:
        session.execute(text("INSERT INTO kept VALUES ('alone')"))
        raise RuntimeError
    with pytest.raises(RuntimeError), database.session() as session:
        session.execute(text("INSERT INTO kept VALUES ('together')"))
        raise RuntimeError
    with database.session() as session:
        assert session.scalars(text("SELECT word FROM kept")).all() == ["alone"]
        session.execute(text("DROP TABLE kept"))


@pytest.mark.parametrize("kind", ["session", "statements"])
def test_what_waits_for_the_commit_is_done_then_and_only_then(database: Database, kind: str) -> None:
    done: list[str] = []
    with getattr(database, kind)() as session:
        after_commit(session, lambda: done.append("yes"))
        assert not done
    with pytest.raises(RuntimeError), getattr(database, kind)() as session:
        after_commit(session, lambda: done.append("no"))
        raise RuntimeError
    assert done == ["yes"]
