from __future__ import annotations

from sqlalchemy import text

from postscope.backend.database import Database
from postscope.migrations.run import upgrade
from tests.migrations.older import at_revision

SPACES = (
    "INSERT INTO spaces (id, encoder, dim, collection, state, layout, created_at, switched_at) VALUES "
    "('old', '{}', 8, 'a', 'previous', 1, '2026-01-01', '2026-01-01'), "
    "('new', '{}', 8, 'b', 'live', 1, '2026-02-01', '2026-02-03')"
)
TAXONOMY = "INSERT INTO taxonomies (name, created_by, created_at) VALUES ('t', 'me', '2026-01-01')"
VERSIONS = (
    "INSERT INTO taxonomy_versions (taxonomy_id, number, state, origin, created_by, created_at, applied_at) "
    "SELECT id, v.number, v.state, 'api', 'me', '2026-01-01', CAST(v.applied AS timestamptz) FROM taxonomies, "
    "(VALUES (1, 'old', '2026-01-02'), (2, 'live', '2026-02-04'), (3, 'draft', NULL)) AS v(number, state, applied)"
)


def test_what_was_applied_since_the_switch_is_of_the_live_space_and_of_the_rest_nobody_knows(
    empty_database_url: str,
) -> None:
    database = Database(empty_database_url, pool_size=1)
    with at_revision(database, "0013") as connection:
        for statement in (SPACES, TAXONOMY, VERSIONS):
            connection.execute(text(statement))
    upgrade(empty_database_url)
    with database.session() as session:
        found = session.execute(text("SELECT number, applied_space FROM taxonomy_versions ORDER BY number")).all()
        assert [tuple(row) for row in found] == [(1, None), (2, "new"), (3, None)]
    database.close()
