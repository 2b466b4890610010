"""Posts in the database and a client that may read what they add up to."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from postscope.backend.auth import Role
from postscope.backend.database import Database
from postscope.backend.runtime import Runtime
from postscope.backend.tables import PostSentiment, Topic, TopicMember
from tests.conftest import ApiKeyMaker, SetClock, bearer


class Archive:
    """Writes posts and what is known of them; asks the API as an analyst."""

    def __init__(self, runtime: Runtime, client: TestClient, key: str) -> None:
        self.runtime, self.client, self.headers = runtime, client, bearer(key)
        self.count = 0

    def add(self, at: datetime | str, **fields: Any) -> UUID:
        """One post."""
        return self.add_many([{"created_at": at if isinstance(at, str) else at.isoformat(), **fields}])[0]

    def add_many(self, rows: list[dict[str, Any]]) -> list[UUID]:
        full = []
        for row in rows:
            self.count += 1
            full.append({"source": "s", "external_id": str(self.count), "text": "words", **row})
        with self.runtime.database.session() as session:
            verdicts = self.runtime.posts.create(session, full, now=self.runtime.clock())
        assert not [verdict for verdict in verdicts if verdict.status == "rejected"], verdicts
        return [verdict.id for verdict in verdicts if verdict.id is not None]

    def delete(self, post_id: UUID) -> None:
        with self.runtime.database.session() as session:
            session.execute(text("DELETE FROM posts WHERE id = :id"), {"id": post_id})

    def topic(self, posts: list[UUID], *, merged_into: UUID | None = None, **fields: Any) -> UUID:
        """A topic with these members."""
        now = self.runtime.clock()
        made = {"layer": "topic", "kind": "discovered", "state": "merged" if merged_into else "active", "name": "t"}
        topic = Topic(
            id=uuid4(), space="x", merged_into=merged_into, centroid=b"", reach=0.5, created_at=now, updated_at=now,
            **{**made, **fields},
        )  # fmt: skip
        with self.runtime.database.session() as session:
            session.add(topic)
            session.flush()
            session.add_all(
                TopicMember(post_id=post, topic_id=topic.id, strength=1.0, assigned_at=now) for post in posts
            )
        return topic.id

    def sounds(self, post: UUID, negative: float, neutral: float, positive: float) -> None:
        with self.runtime.database.session() as session:
            session.add(
                PostSentiment(post_id=post, scorer="test", negative=negative, neutral=neutral, positive=positive)
            )

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        answer = self.client.get(path, params=query or None, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def raw(self, path: str, accept: str | None = None, **query: Any) -> Any:
        return self.client.get(path, params=query, headers=self.headers | ({"Accept": accept} if accept else {}))


@pytest.fixture
def archive(runtime: Runtime, client: TestClient, api_key: ApiKeyMaker, database: Database, clock: SetClock) -> Archive:
    return Archive(runtime, client, api_key(Role.ANALYST))
