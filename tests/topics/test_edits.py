"""What people decide: through the API, through later discoveries, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from postscope.backend import audit
from postscope.backend.app import create_app
from postscope.backend.auth import Role
from postscope.backend.tables import Topic, TopicMember
from postscope.backend.work import Stage
from tests.conftest import ApiKeyMaker, bearer
from tests.topics.conftest import TopicDesk

Subjects = Callable[[], dict[str, list[UUID]]]


class Api:
    """Calls with the key of an analyst."""

    def __init__(self, client: TestClient, key: str) -> None:
        self._client, self._headers = client, bearer(key)

    def __call__(self, method: str, path: str, status: int, json: Any = None) -> Any:
        answer = self._client.request(method, f"/v1/topics{path}", headers=self._headers, json=json)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def api(desk: TopicDesk, api_key: ApiKeyMaker) -> Iterator[Api]:
    with TestClient(create_app(desk.runtime)) as client:
        yield Api(client, api_key(Role.ANALYST, name="ana"))


def mostly(desk: TopicDesk, posts: list[UUID]) -> UUID:
    """The topic that most of these posts are in."""
    found = Counter(desk.topic_of(post) for post in posts).most_common(1)[0][0]
    assert found is not None
    return found


def test_a_name_that_a_person_gave_survives_the_next_discovery_and_its_undo_does_too(
    desk: TopicDesk, subjects: Subjects, api: Api
) -> None:
    storm = mostly(desk, subjects()["storm"])
    before = api("GET", f"/{storm}", 200)["name"]
    edit = api("PATCH", f"/{storm}", 200, {"name": "Storms"})
    desk.talk("storm", 10, first=40)
    desk.discover()
    shown = api("GET", f"/{storm}", 200)
    assert (shown["name"], shown["named_by"], shown["state"]) == ("Storms", "ana", "active")
    api("POST", f"/edits/{edit['id']}/undo", 200)
    assert api("GET", f"/{storm}", 200)["name"] == before
    assert api("POST", f"/edits/{edit['id']}/undo", 409)["code"] == "edit_undone"


def test_merged_topics_stay_together_in_the_next_discovery_and_come_apart_by_an_undo(
    desk: TopicDesk, subjects: Subjects, api: Api
) -> None:
    ids = subjects()
    storm, match = mostly(desk, ids["storm"]), mostly(desk, ids["match"])
    edit = api("POST", f"/{storm}/merge", 200, {"topic_ids": [str(match)]})
    assert mostly(desk, ids["match"]) == storm
    merged = api("GET", f"/{match}", 200)
    assert (merged["state"], merged["merged_into"]) == ("merged", str(storm))
    assert any(event["kind"] == "merge" for event in api("GET", f"/{storm}/lineage", 200)["events"])
    desk.discover()
    assert mostly(desk, ids["match"]) == mostly(desk, ids["storm"]) == storm
    api("POST", f"/edits/{edit['id']}/undo", 200)
    assert api("GET", f"/{match}", 200)["state"] == "active"
    assert mostly(desk, ids["match"]) == match


def test_an_edit_with_a_later_one_on_it_is_not_undone_before_that_one(
    desk: TopicDesk, subjects: Subjects, api: Api
) -> None:
    storm = mostly(desk, subjects()["storm"])
    first = api("PATCH", f"/{storm}", 200, {"hidden": True})
    second = api("PATCH", f"/{storm}", 200, {"pinned": True})
    problem = api("POST", f"/edits/{first['id']}/undo", 409)
    assert problem["code"] == "edit_superseded"
    assert second["id"] in problem["detail"]
    api("POST", f"/edits/{second['id']}/undo", 200)
    api("POST", f"/edits/{first['id']}/undo", 200)
    assert not api("GET", f"/{storm}", 200)["hidden"]
    assert [edit["id"] for edit in api("GET", f"/edits?topic_id={storm}", 200)["edits"]] == [second["id"], first["id"]]


def test_a_hidden_topic_is_not_listed_unless_asked_for(desk: TopicDesk, subjects: Subjects, api: Api) -> None:
    storm = mostly(desk, subjects()["storm"])
    api("PATCH", f"/{storm}", 200, {"hidden": True})
    assert str(storm) not in {topic["id"] for topic in api("GET", "", 200)["topics"]}
    assert str(storm) in {topic["id"] for topic in api("GET", "?hidden=true", 200)["topics"]}


def test_posts_that_do_not_belong_stay_out_whatever_comes_and_are_back_after_an_undo(
    desk: TopicDesk, subjects: Subjects, api: Api
) -> None:
    ids = subjects()
    storm = mostly(desk, ids["storm"])
    wrong = [post for post in ids["storm"] if desk.topic_of(post) == storm][:2]
    edit = api("POST", f"/{storm}/exclude", 200, {"post_ids": [str(post) for post in wrong]})
    desk.run(Stage.ENRICH)
    assert storm not in {desk.topic_of(post) for post in wrong}
    desk.discover()
    assert storm not in {desk.topic_of(post) for post in wrong}
    api("POST", f"/edits/{edit['id']}/undo", 200)
    assert {desk.topic_of(post) for post in wrong} == {storm}


def test_split_off_posts_are_a_topic_that_the_next_discovery_leaves_alone(
    desk: TopicDesk, subjects: Subjects, api: Api
) -> None:
    ids = subjects()
    storm = mostly(desk, ids["storm"])
    chosen = [post for post in ids["storm"] if desk.topic_of(post) == storm][:6]
    made = api("POST", f"/{storm}/split", 201, {"post_ids": [str(post) for post in chosen], "name": "Floods"})
    fresh = UUID(made["topic"]["id"])
    desk.discover()
    assert {desk.topic_of(post) for post in chosen} == {fresh}
    assert api("GET", f"/{fresh}", 200)["state"] == "active"
    api("POST", f"/edits/{made['edit']['id']}/undo", 200)
    assert {desk.topic_of(post) for post in chosen} == {storm}
    assert api("GET", f"/{fresh}", 200)["state"] == "dead"


def test_a_watch_topic_takes_what_is_like_its_words_now_and_as_it_comes_in(desk: TopicDesk, api: Api) -> None:
    old = desk.talk("phone", 5)
    desk.run(Stage.ENRICH)
    made = api("POST", "", 201, {"name": "Phones", "words": "phone troubles", "post_ids": [str(old[0])]})
    topic = UUID(made["topic"]["id"])
    assert topic in {desk.topic_of(post) for post in old}
    fresh = desk.talk("phone", 10, first=5)
    desk.run(Stage.ENRICH)
    assert topic in {desk.topic_of(post) for post in fresh}
    api("POST", f"/edits/{made['edit']['id']}/undo", 200)
    assert topic not in {desk.topic_of(post) for post in [*old, *fresh]}


def test_sub_topics_that_were_merged_have_their_posts_back_after_an_undo(desk: TopicDesk, api: Api) -> None:
    ids = desk.talk("storm", 40)
    desk.discover()
    topic = mostly(desk, ids)
    parts = [uuid4(), uuid4()]
    with desk.runtime.database.session() as session:
        whole = session.get_one(Topic, topic)
        for part in parts:
            session.add(
                Topic(id=part, space=whole.space, layer="subtopic", kind="discovered", state="active", name="part",
                      parent_id=topic, centroid=whole.centroid, reach=0.5, created_at=whole.created_at,
                      updated_at=whole.created_at)
            )  # fmt: skip
        session.flush()
        members = sorted(session.query(TopicMember).filter_by(topic_id=topic), key=lambda member: member.post_id)
        for n, member in enumerate(members):
            member.subtopic_id = parts[n % 2]
        was = {member.post_id: member.subtopic_id for member in members}
    edit = api("POST", f"/{parts[0]}/merge", 200, {"topic_ids": [str(parts[1])]})
    assert set(parts_of(desk, topic).values()) == {parts[0]}
    left = members[0].post_id
    api("POST", f"/{topic}/exclude", 200, {"post_ids": [str(left)]})
    api("POST", f"/edits/{edit['id']}/undo", 200)
    assert parts_of(desk, topic) == {post: part for post, part in was.items() if post != left}
    assert desk.topic_of(left) is None


def parts_of(desk: TopicDesk, topic: UUID) -> dict[UUID, UUID | None]:
    with desk.runtime.database.session() as session:
        return {member.post_id: member.subtopic_id for member in session.query(TopicMember).filter_by(topic_id=topic)}


def test_bad_edits_name_the_field_and_change_nothing(desk: TopicDesk, subjects: Subjects, api: Api) -> None:
    ids = subjects()
    storm, stranger = mostly(desk, ids["storm"]), ids["bread"][0]
    api("PATCH", f"/{uuid4()}", 404, {"name": "x"})
    api("PATCH", f"/{storm}", 422, {})
    api("PATCH", f"/{storm}", 422, {"name": "  "})
    api("POST", f"/{storm}/merge", 422, {"topic_ids": [str(storm)]})
    problem = api("POST", f"/{storm}/split", 422, {"post_ids": [str(stranger)]})
    assert problem["errors"][0]["field"] == "post_ids.0"
    api("POST", "", 422, {"name": "nothing"})
    api("POST", "", 422, {"name": "ghost", "post_ids": [str(uuid4())]})
    assert api("GET", "/edits", 200)["edits"] == []


def test_every_edit_and_every_undo_is_in_the_audit_log_whose_chain_holds(
    desk: TopicDesk, subjects: Subjects, api: Api
) -> None:
    storm = mostly(desk, subjects()["storm"])
    edit = api("PATCH", f"/{storm}", 200, {"name": "Storms"})
    api("POST", f"/edits/{edit['id']}/undo", 200)
    with desk.runtime.database.session() as session:
        actions = [row.action for row in audit.entries(session, subject=f"topic:{storm}", limit=10)]
        assert audit.verify(session).broken_at is None
    assert actions == ["topic.undo", "topic.change"]
