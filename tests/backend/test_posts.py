"""Posts over HTTP: verdicts, identity, updates, what a bad post may and may not do."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import text

from postscope.backend.auth import Role
from postscope.backend.database import Database
from postscope.backend.post_schema import MAX_METADATA_DEPTH, author_hash
from tests.conftest import ApiKeyMaker, bearer


class Api:
    """Calls of a client that may write."""

    def __init__(self, client: TestClient, key: str) -> None:
        self.client, self.headers = client, bearer(key)

    def post(self, *posts: Any) -> dict[str, Any]:
        answer = self.client.post("/v1/posts", json={"posts": list(posts)}, headers=self.headers)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=self.headers)


@pytest.fixture
def api(client: TestClient, api_key: ApiKeyMaker) -> Api:
    return Api(client, api_key(Role.INGEST))


def post(**changes: Any) -> dict[str, Any]:
    return {"source": "s", "external_id": "1", "created_at": "2026-03-02T09:30:00Z", "text": "hello"} | changes


def statuses(answer: dict[str, Any]) -> list[str]:
    return [verdict["status"] for verdict in answer["posts"]]


def test_same_identity_again_is_an_update_or_nothing(api: Api) -> None:
    first = api.post(post())
    assert statuses(first) == ["accepted"]
    assert statuses(api.post(post())) == ["unchanged"]
    again = api.post(post(text="goodbye"))
    assert statuses(again) == ["updated"]
    assert again["posts"][0]["id"] == first["posts"][0]["id"]
    kept = api.get(f"/v1/posts/{first['posts'][0]['id']}").json()
    assert (kept["text"], kept["version"]) == ("goodbye", 2)


def test_a_bad_post_is_rejected_alone_with_field_and_reason(api: Api) -> None:
    answer = api.post(
        post(), post(external_id="2", created_at="yesterday"), post(external_id="3", metrics={"likes": -1})
    )
    assert statuses(answer) == ["accepted", "rejected", "rejected"]
    assert answer["posts"][1]["errors"][0]["field"] == "created_at"
    assert answer["posts"][2]["errors"][0]["field"] == "metrics.likes"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("created_at", "2026-03-02T09:30:00"),
        ("media", [{}]),
        ("media", [{"url": "file:///etc/passwd"}]),
        ("media", [{"url": "http://a.example/x", "upload_id": str(uuid4())}]),
        ("metrics", {"likes": "NaN"}),
        ("metadata", {"a": "x" * 20_000}),
        ("language", "english, mostly"),
        ("source", ""),
        ("text", "x" * 100_001),
        ("surprise", 1),
    ],
)
def test_each_field_says_what_is_wrong(api: Api, field: str, value: Any) -> None:
    answer = api.post(post(**{field: value}))
    assert statuses(answer) == ["rejected"]
    assert answer["posts"][0]["errors"][0]["field"].split(".")[0] == field


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_time_at_the_end_of_the_calendar_is_rejected_alone(api: Api, when: str) -> None:
    answer = api.post(post(created_at=when), post(external_id="2"))
    assert statuses(answer) == ["rejected", "accepted"]
    assert answer["posts"][0]["errors"] == [
        {"field": "created_at", "reason": "must lie in the years 1 to 9999, in UTC too"}
    ]


def nested(depth: int, kind: type = list) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value] if kind is list else {"in": value}
    return value


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ('{"a": 1e400}', "Infinity"),
        ('{"a": [{"b": NaN}]}', "NaN"),
        ('{"a": -Infinity, "b": 1}', "Infinity"),
        (json.dumps({"a": nested(MAX_METADATA_DEPTH)}), "deep"),
        (json.dumps({"a": nested(200, dict)}), "deep"),
        (json.dumps({"a": nested(400)}), "deep"),
        ('{"a": ["b\\u0000c"]}', "NUL"),
        ('{"a": {"b\\u0000c": 1}}', "NUL"),
    ],
)
def test_metadata_that_cannot_be_kept_as_they_are_are_rejected_alone(api: Api, metadata: str, reason: str) -> None:
    body = json.dumps({"posts": [post(metadata="here"), post(external_id="2")]}).replace('"here"', metadata)
    answer = api.client.post("/v1/posts", content=body, headers=api.headers | {"Content-Type": "application/json"})
    assert statuses(answer.json()) == ["rejected", "accepted"]
    (problem,) = answer.json()["posts"][0]["errors"]
    assert problem["field"] == "metadata"
    assert reason in problem["reason"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": None, "b": [None, 1.5, {"c": []}]},
        {"a": nested(MAX_METADATA_DEPTH - 1)},
        {"a": nested(MAX_METADATA_DEPTH - 1, dict)},
        {"a": "no NUL, but how one is written: \\u0000", "b": [["null"]] * 40},
    ],
)
def test_metadata_come_back_as_they_were(api: Api, metadata: dict[str, Any]) -> None:
    answer = api.post(post(metadata=metadata))
    assert statuses(answer) == ["accepted"]
    assert api.get(f"/v1/posts/{answer['posts'][0]['id']}").json()["metadata"] == metadata


def test_a_wrong_field_may_have_any_name(api: Api) -> None:
    body = json.dumps({"posts": [post(**{"\ud800": 1}), post(external_id="2")]})
    answer = api.client.post("/v1/posts", content=body, headers=api.headers | {"Content-Type": "application/json"})
    assert statuses(answer.json()) == ["rejected", "accepted"]


def test_duplicate_ids_in_a_batch_are_one_post_and_the_later_wins(api: Api) -> None:
    answer = api.post(post(text="one"), post(text="two"), post(text="two"))
    assert len({verdict["id"] for verdict in answer["posts"]}) == 1
    assert api.get(f"/v1/posts/{answer['posts'][0]['id']}").json()["text"] == "two"


def test_zero_posts_and_too_many_are_refused(api: Api) -> None:
    for posts in ([], [post(external_id=str(n)) for n in range(1_001)]):
        answer = api.client.post("/v1/posts", json={"posts": posts}, headers=api.headers)
        assert answer.status_code == 422
        assert "posts" in answer.text


@pytest.mark.parametrize("words", ["", "🎉🎉", "مرحبا بالعالم", "a\x00b", "x" * 100_000, "\u202eabc", "\ud800"])
def test_any_text_is_kept(api: Api, words: str) -> None:
    body = json.dumps({"posts": [post(text=words)]})
    answer = api.client.post("/v1/posts", content=body, headers=api.headers | {"Content-Type": "application/json"})
    if "\ud800" in words:  # no character at all: it may be refused, but only with a reason
        assert answer.status_code in (202, 422)
        return
    assert statuses(answer.json()) == ["accepted"]
    kept = api.get(f"/v1/posts/{answer.json()['posts'][0]['id']}").json()["text"]
    assert kept.replace("\ufffd", "\x00") == words


def test_the_author_is_kept_only_as_a_keyed_hash(api: Api, database: Database, runtime: Any) -> None:
    answer = api.post(post(author="@Mara"))
    kept = api.get(f"/v1/posts/{answer['posts'][0]['id']}").json()
    assert kept["author_hash"] == author_hash(runtime.author_key, "@mara")
    with database.session() as session:
        assert "mara" not in str(session.execute(text("SELECT posts::text FROM posts")).scalar()).casefold()


def test_status_tells_what_waits(api: Api) -> None:
    answer = api.post(post(media=[{"url": "http://media.example/a.jpg"}]))
    status = api.get(f"/v1/posts/{answer['posts'][0]['id']}/status").json()
    states = {stage["stage"]: stage["state"] for stage in status["stages"]}
    assert states == {"extract": "waiting", "understand": "waiting", "index": "waiting", "enrich": "waiting"}
    assert status["media"][0]["state"] == "waiting"
    assert not status["searchable"]


def test_a_deleted_post_is_gone(api: Api) -> None:
    post_id = api.post(post())["posts"][0]["id"]
    assert api.client.delete(f"/v1/posts/{post_id}", headers=api.headers).status_code == 204
    assert api.get(f"/v1/posts/{post_id}").status_code == 404
    assert api.client.delete(f"/v1/posts/{post_id}", headers=api.headers).status_code == 404
    assert statuses(api.post(post())) == ["accepted"]


def test_an_upload_becomes_a_medium(api: Api) -> None:
    file = BytesIO()
    Image.new("RGB", (20, 10), "teal").save(file, "PNG")
    upload = api.client.post("/v1/media", files={"file": ("x.jpg", file.getvalue())}, headers=api.headers)
    assert upload.status_code == 201, upload.text
    assert (upload.json()["mime"], upload.json()["width"]) == ("image/png", 20)
    answer = api.post(
        post(media=[{"upload_id": upload.json()["id"]}]), post(external_id="2", media=[{"upload_id": str(uuid4())}])
    )
    assert statuses(answer) == ["accepted", "rejected"]
    assert answer["posts"][1]["errors"][0]["field"] == "media.0.upload_id"


def test_a_file_that_is_no_image_is_refused(api: Api) -> None:
    answer = api.client.post("/v1/media", files={"file": ("x.jpg", b"<html>")}, headers=api.headers)
    assert answer.status_code == 415
    assert "file" in answer.json()["detail"]


def test_a_reader_may_not_write(client: TestClient, api_key: ApiKeyMaker) -> None:
    for key, expected in ((api_key(Role.ANALYST), 403), ("ps_" + "x" * 43, 401)):
        assert client.post("/v1/posts", json={"posts": [post()]}, headers=bearer(key)).status_code == expected


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["source", "external_id", "author", "created_at", "text", "language", "tags", "metrics", "metadata", "media"]


@hypothesis_settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(changes=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3))
def test_whatever_comes_there_is_a_verdict(api: Api, changes: dict[str, Any]) -> None:
    answer = api.post(post(**changes), post(external_id="healthy"))
    assert answer["posts"][0]["status"] in ("accepted", "updated", "unchanged", "rejected")
    assert answer["posts"][1]["status"] != "rejected"
    assert (answer["posts"][0]["status"] == "rejected") == bool(answer["posts"][0]["errors"])
