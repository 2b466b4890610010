from __future__ import annotations

from sqlalchemy import text

from postscope.backend.database import Database
from postscope.migrations.run import upgrade
from tests.migrations.older import at_revision

ITEM = (
    "INSERT INTO review_items (id, kind, severity, reason, detail, state, created_at) "
    "VALUES (gen_random_uuid(), 'hold', 1, 'because', '{}', 'open', '2026-01-01')"
)
UNINDEXED = """
    SELECT key.conrelid::regclass::text, held.attname FROM pg_constraint key
    JOIN pg_attribute held ON held.attrelid = key.conrelid AND held.attnum = key.conkey[1]
    WHERE key.contype = 'f' AND key.confrelid IN ('posts'::regclass, 'media'::regclass, 'bank_entries'::regclass)
    AND NOT EXISTS (
        SELECT 1 FROM pg_index i WHERE i.indrelid = key.conrelid AND i.indkey[0] = key.conkey[1] AND (
            i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = '(' || held.attname || ' IS NOT NULL)'))
"""


def test_whatever_goes_with_a_post_or_an_entry_is_looked_up_by_an_index(empty_database_url: str) -> None:
    database = Database(empty_database_url, pool_size=1)
    with at_revision(database, "0014") as connection:
        connection.execute(text(ITEM))
    upgrade(empty_database_url)
    with database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM review_items")) == 1
        assert session.execute(text(UNINDEXED)).all() == []
    database.close()
