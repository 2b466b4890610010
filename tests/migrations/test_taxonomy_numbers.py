from __future__ import annotations

from sqlalchemy import text

from postscope.backend.database import Database
from postscope.migrations.run import upgrade
from tests.migrations.older import at_revision

TAXONOMIES = (
    "INSERT INTO taxonomies (name, created_by, created_at) VALUES "
    "('empty', 'me', '2026-01-01'), ('news', 'me', '2026-01-01')"
)
VERSIONS = (
    "INSERT INTO taxonomy_versions (taxonomy_id, number, state, origin, created_by, created_at) "
    "SELECT id, v.number, 'draft', 'api', 'me', '2026-01-01' FROM taxonomies, (VALUES (2), (5)) AS v(number) "
    "WHERE name = 'news'"
)


def test_the_next_number_is_one_that_no_version_has(empty_database_url: str) -> None:
    database = Database(empty_database_url, pool_size=1)
    with at_revision(database, "0017") as connection:
        for statement in (TAXONOMIES, VERSIONS):
            connection.execute(text(statement))
    upgrade(empty_database_url)
    with database.session() as session:
        found = session.execute(text("SELECT name, newest FROM taxonomies ORDER BY name")).all()
        assert [tuple(row) for row in found] == [("empty", 0), ("news", 5)]
    database.close()
