from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from postscope.backend.database import Database
from postscope.migrations.run import upgrade
from tests.migrations.older import at_revision

TOPIC = UUID(int=7)


def test_posts_that_are_in_topics_already_are_due_to_be_told_of(empty_database_url: str) -> None:
    database = Database(empty_database_url, pool_size=1)
    with at_revision(database, "0010") as connection:
        connection.execute(
            text(
                "INSERT INTO topics (id, space, layer, kind, state, name, centroid, reach, created_at, updated_at) "
                "VALUES (:id, 's', 'topic', 'discovered', 'active', 'storm', '', 0.5, now(), now())"
            ),
            {"id": TOPIC},
        )
        connection.execute(
            text(
                "INSERT INTO posts (id, source, external_id, text, tags, metrics, metadata, created_at, "
                "received_at, updated_at, record_hash, content_hash) "
                "SELECT CAST(lpad(n::text, 32, '0') AS uuid), 's', n, 'x', '{}', '{}', '{}', now(), now(), now(), '', "
                "'' "
                "FROM generate_series(1, 3) n"
            )
        )
        connection.execute(
            text(
                "INSERT INTO topic_members (post_id, topic_id, strength, assigned_at) "
                "SELECT id, CASE WHEN external_id <> '3' THEN CAST(:topic AS uuid) END, 0.5, now() FROM posts"
            ),
            {"topic": TOPIC},
        )
    upgrade(empty_database_url)
    with database.session() as session:
        due = session.scalars(
            text(
                "SELECT p.external_id FROM topic_members m JOIN posts p ON p.id = m.post_id "
                "WHERE m.topic_id IS DISTINCT FROM m.told_topic_id "
                "OR m.subtopic_id IS DISTINCT FROM m.told_subtopic_id ORDER BY 1"
            )
        ).all()
        assert due == ["1", "2"]
    database.close()
