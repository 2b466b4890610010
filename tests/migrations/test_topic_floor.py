from __future__ import annotations

from sqlalchemy import text

from postscope.backend.database import Database
from postscope.backend.topics.membership import topic_map
from postscope.indexing.clustering.fences import ANYWHERE
from postscope.migrations.run import upgrade
from tests.migrations.older import at_revision

TOPIC = (
    "INSERT INTO topics (id, space, layer, kind, state, name, centroid, reach, created_at, updated_at) VALUES "
    "('00000000-0000-7000-8000-000000000001', 's', 'topic', 'discovered', 'active', 'old', :centroid, 0.5, "
    "now(), now())"
)


def test_a_topic_that_was_there_keeps_all_its_votes_until_a_discovery_measures_it(empty_database_url: str) -> None:
    database = Database(empty_database_url, pool_size=1)
    with at_revision(database, "0012") as connection:
        connection.execute(text(TOPIC), {"centroid": bytes(8)})
    upgrade(empty_database_url)
    with database.session() as session:
        assert topic_map(session, "s", 2).floors.tolist() == [ANYWHERE]
    database.close()
