"""The audit log: append-only, and any change of the past is found."""

from __future__ import annotations

import threading

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from postscope.backend import audit
from postscope.backend.auth import Role
from postscope.backend.database import Database
from tests.conftest import ApiKeyMaker, SetClock, bearer


def write(database: Database, clock: SetClock, count: int) -> None:
    for n in range(count):
        with database.session() as session:
            audit.record(
                session, actor="ada", action="topic.rename", subject=f"topic:{n}", evidence={"to": n, "été": None},
                now=clock(),
            )  # fmt: skip


def tamper(database: Database, statement: str) -> None:
    """As somebody with the database in his hands would."""
    with database.session() as session:
        session.execute(text("ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only"))
        session.execute(text(statement))
        session.execute(text("ALTER TABLE audit_log ENABLE TRIGGER audit_log_append_only"))


def check(database: Database, head: bytes | None = None) -> audit.AuditVerdict:
    with database.session() as session:
        return audit.verify(session, head=head)


def test_an_empty_log_is_intact(database: Database) -> None:
    assert check(database) == audit.AuditVerdict(0, audit.GENESIS)


def test_a_whole_chain_is_intact(database: Database, clock: SetClock) -> None:
    write(database, clock, 5)
    found = check(database)
    assert (found.entries, found.broken_at) == (5, None)
    assert found.head != audit.GENESIS


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_log SET actor = 'eve'", "DELETE FROM audit_log", "TRUNCATE audit_log"],
)
def test_the_database_refuses_to_change_it(database: Database, clock: SetClock, statement: str) -> None:
    write(database, clock, 1)
    with pytest.raises(DatabaseError, match="append-only"), database.session() as session:
        session.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE audit_log SET actor = 'eve' WHERE number = 3", 3),
        ("UPDATE audit_log SET evidence = '{}' WHERE number = 3", 3),
        ("UPDATE audit_log SET at = at + interval '1 second' WHERE number = 3", 3),
        ("DELETE FROM audit_log WHERE number = 1", 2),
        ("DELETE FROM audit_log WHERE number = 3", 4),
        ("UPDATE audit_log SET hash = sha256('x') WHERE number = 5", 5),
    ],
)
def test_tampering_is_found_where_it_happened(database: Database, clock: SetClock, statement: str, where: int) -> None:
    write(database, clock, 5)
    tamper(database, statement)
    found = check(database)
    assert found.broken_at == where
    assert found.reason


def test_a_cut_end_is_found_by_whoever_kept_the_head(database: Database, clock: SetClock) -> None:
    write(database, clock, 5)
    head = check(database).head
    tamper(database, "DELETE FROM audit_log WHERE number > 3")
    assert check(database).broken_at is None
    assert check(database, head).broken_at == 4


def test_writers_at_the_same_moment_make_one_chain(database: Database, clock: SetClock) -> None:
    threads = [threading.Thread(target=write, args=(database, clock, 10)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = check(database)
    assert (found.entries, found.broken_at) == (40, None)


def test_the_api_shows_pages_to_admins_alone(
    client: TestClient, api_key: ApiKeyMaker, database: Database, clock: SetClock
) -> None:
    write(database, clock, 5)
    admin = bearer(api_key(Role.ADMIN))
    first = client.get("/v1/audit?limit=2", headers=admin).json()
    assert [entry["number"] for entry in first["entries"]] == [5, 4]
    second = client.get(f"/v1/audit?limit=3&before={first['next_before']}", headers=admin).json()
    assert [entry["number"] for entry in second["entries"]] == [3, 2, 1]
    assert second["next_before"] is None
    assert client.get("/v1/audit/verify", headers=admin).json()["intact"]
    assert client.get("/v1/audit", headers=bearer(api_key(Role.ANALYST))).status_code == 403
