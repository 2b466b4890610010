from __future__ import annotations

import uuid

import numpy as np
from sqlalchemy import text

from postscope.backend.database import Database
from postscope.backend.tables import Post
from postscope.backend.topics.languages import keep, neutral
from postscope.migrations.run import upgrade
from tests.migrations.older import at_revision

POST = (
    "INSERT INTO posts (id, source, external_id, created_at, received_at, updated_at, text, language, tags, metrics, "
    "metadata, record_hash, content_hash) "
    "VALUES ('00000000-0000-7000-8000-000000000001', 's', '1', now(), now(), now(), 'bonjour', 'fr', '{}', '{}', '{}', "
    "'', '')"
)


def test_posts_that_were_there_are_asked_about_as_they_are_until_a_discovery_saw_languages(
    empty_database_url: str,
) -> None:
    database = Database(empty_database_url, pool_size=1)
    with at_revision(database, "0015") as connection:
        connection.execute(text(POST))
    upgrade(empty_database_url)
    vector = np.array([0.6, 0.8], np.float32)
    with database.session() as session:
        post = session.query(Post).one()
        assert neutral(session, "s", [post], {post.id: vector})[post.id] is vector
        keep(session, "s", ["en", "fr"], np.array([[0.0, 0.0], [0.0, 0.8]], np.float32), run_id=uuid.UUID(int=1))
        np.testing.assert_allclose(neutral(session, "s", [post], {post.id: vector})[post.id], [1.0, 0.0], atol=1e-6)
        assert neutral(session, "another", [post], {post.id: vector})[post.id] is vector
    database.close()
