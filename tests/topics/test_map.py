"""The map: as numbers, and as a page that no post can break."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from uuid import UUID

import numpy as np
from fastapi.testclient import TestClient

from postscope.backend.app import create_app
from postscope.backend.auth import Role
from postscope.backend.tables import TopicLayout
from tests.conftest import ApiKeyMaker, bearer
from tests.topics.conftest import TopicDesk

HOSTILE = 'storm </script><script>alert(1)</script><!-- <img src=x onerror="alert(2)"> \u2028 & {{7*7}}'


def places(desk: TopicDesk) -> dict[UUID, tuple[float, float]]:
    with desk.runtime.database.session() as session:
        return {row.post_id: (row.x, row.y) for row in session.query(TopicLayout)}


def test_the_page_holds_hostile_texts_as_data_only(desk: TopicDesk, api_key: ApiKeyMaker) -> None:
    desk.talk("storm", 12)
    desk.post({"external_id": "bad", "text": HOSTILE})
    desk.run()
    desk.discover()
    with TestClient(create_app(desk.runtime)) as client:
        answer = client.get("/v1/topics/map?format=html", headers=bearer(api_key(Role.ANALYST)))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = answer.text
    assert page.count("</script>") == 2
    assert "onerror" not in page.replace("\\u003cimg src=x onerror", "")
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert block is not None
    assert HOSTILE in json.loads(block[1])["text"]
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)


def test_places_stay_when_more_posts_come(desk: TopicDesk, subjects: Callable[[], dict[str, list[UUID]]]) -> None:
    subjects()
    before = places(desk)
    desk.talk("storm", 8, first=40)
    desk.discover()
    after = places(desk)
    assert before.keys() < after.keys()
    moved = np.array([np.subtract(after[post], before[post]) for post in before])
    extent = np.ptp(np.array(list(before.values())), axis=0).max()
    assert np.median(np.linalg.norm(moved, axis=1)) < 0.15 * extent


def test_the_map_as_numbers_names_topics_and_says_what_is_left_out(
    desk: TopicDesk, subjects: Callable[[], dict[str, list[UUID]]], api_key: ApiKeyMaker
) -> None:
    subjects()
    with TestClient(create_app(desk.runtime)) as client:
        headers = bearer(api_key(Role.PRODUCT))
        whole = client.get("/v1/topics/map", headers=headers).json()
        part = client.get("/v1/topics/map?limit=50", headers=headers).json()
        none = client.get("/v1/topics/map?to=1999-01-01T00:00:00Z", headers=headers).json()
        wrong = client.get("/v1/topics/map?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", headers=headers)
    assert len(whole["points"]) == whole["total"] == 120
    assert {point["topic"] for point in whole["points"]} >= {0, 1, 2}
    assert len(part["points"]) == 50
    assert part["total"] == 120
    assert none == {"topics": [], "points": [], "total": 0}
    assert wrong.status_code == 422
