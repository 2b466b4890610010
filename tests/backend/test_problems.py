"""Every error is a problem: RFC 9457, the field by name, and nothing of the inside."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Annotated, Any

import psycopg
import pytest
from fastapi import FastAPI, Query
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from postscope.backend.envelope import RequestEnvelope
from postscope.backend.errors import (
    BadSettings,
    Conflict,
    FieldProblem,
    Invalid,
    NotFound,
    NotReady,
    PostscopeError,
    TooManyRequests,
)
from postscope.backend.metrics import Metrics
from postscope.backend.problems import add_problem_handlers


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    sizes: list[Annotated[int, Field(ge=1)]] = []

    @field_validator("name")
    @classmethod
    def _not_shouted(cls, value: str) -> str:
        if value.isupper():
            raise ValueError("must not be shouted")
        return value


def app_with(endpoint: Callable[..., Any] | None = None) -> TestClient:
    app = FastAPI()
    add_problem_handlers(app)
    app.add_middleware(RequestEnvelope, metrics=Metrics())

    @app.post("/things")
    def things(thing: Thing, page: Annotated[int, Query(ge=1)] = 1) -> Thing:
        return thing

    if endpoint is not None:
        app.get("/it")(endpoint)
    return TestClient(app)


def raising(error: Exception) -> TestClient:
    def endpoint() -> None:
        raise error

    return app_with(endpoint)


def errors(answer: Any) -> dict[str, str]:
    return {error["field"]: error["reason"] for error in answer.json()["errors"]}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Invalid.of("posts.3.text", "too long"), 422, "invalid"),
        (NotFound("no such post"), 404, "not_found"),
        (Conflict("busy"), 409, "conflict"),
        (TooManyRequests("slow down", headers={"Retry-After": "7"}), 429, "too_many_requests"),
        (NotReady("the model is loading", code="model_not_ready"), 503, "model_not_ready"),
    ],
)
def test_errors_of_the_tree(error: PostscopeError, status: int, code: str) -> None:
    answer = raising(error).get("/it")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == f"urn:postscope:problem:{code}"
    assert (body["status"], body["code"], body["title"], body["detail"]) == (status, code, error.title, error.detail)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert (
        dict(error.headers).items() <= {"Retry-After": answer.headers.get("retry-after")}.items() or not error.headers
    )
    assert body.get("errors", []) == [{"field": p.field, "reason": p.reason} for p in error.problems]


@pytest.mark.parametrize("error", [RuntimeError("password=hunter2"), PostscopeError("hunter2"), BadSettings("hunter2")])
def test_what_was_not_foreseen_says_nothing_of_the_inside(error: Exception) -> None:
    answer = raising(error).get("/it")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert answer.json()["code"] == "internal"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperationalError("SELECT secret", {}, psycopg.OperationalError("no way to 10.0.0.7")), "database_down"),
        (OperationalError("COMMIT", {}, psycopg.errors.AdminShutdown("terminating")), "database_down"),
        (OperationalError("COMMIT", {}, psycopg.errors.DiskFull("No space left on device")), "database_down"),
        (InterfaceError("COMMIT", {}, psycopg.InterfaceError("the connection is closed")), "database_down"),
        (OperationalError("SELECT secret", {}, psycopg.errors.QueryCanceled("statement timeout")), "database_busy"),
        (OperationalError("UPDATE", {}, psycopg.errors.DeadlockDetected("deadlock detected")), "database_busy"),
        (NoConnectionLeft("QueuePool limit of size 10 reached"), "database_busy"),
    ],
)  # fmt: skip
def test_a_database_that_cannot_do_its_work_now_is_503_and_tells_nothing_of_the_inside(
    error: Exception, code: str
) -> None:
    answer = raising(error).get("/it")
    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    assert not any(word in answer.text for word in ("secret", "10.0.0.7", "QueuePool", "COMMIT"))


def test_each_wrong_field_is_named() -> None:
    answer = app_with().post("/things?page=0", json={"name": "LOUD", "sizes": [3, 0, "x"], "colour": "red"})
    assert answer.status_code == 422
    found = errors(answer)
    assert found.keys() == {"page", "name", "sizes.1", "sizes.2", "colour"}
    assert found["name"] == "must not be shouted"


def test_a_value_that_the_database_refuses_is_the_callers() -> None:
    refused = DataError("INSERT ...", {"note": "hunter2"}, ValueError("cannot contain NUL (0x00) bytes"))
    answer = raising(refused).get("/it")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "NUL" in answer.json()["detail"]
    assert "hunter2" not in answer.text


def test_of_what_the_database_refuses_the_field_is_named_and_the_log_does_not_tell_the_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def keep(thing: dict[str, Any], version: int = 1) -> None:
        beyond = psycopg.errors.NumericValueOutOfRange("integer out of range")
        nul = psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        raise DataError("INSERT ...", {"note": thing.get("note")}, beyond if "number" in thing else nul)

    app = FastAPI()
    add_problem_handlers(app)
    app.post("/it")(keep)
    client = TestClient(app)

    def refused(body: dict[str, Any], **params: Any) -> dict[str, str]:
        answer = client.post("/it", json=body, params=params)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        return errors(answer)

    nul = "must not contain NUL characters"
    assert refused({"a": ["b", {"c": "d\0"}], "e": "\0", "note": "hunter2"}) == {"a.1.c": nul, "e": nul}
    assert refused({"a": {"b\0": 1}}) == {"a": f"a name in it {nul}"}
    assert refused({"number": 1 << 31, "b": 7}) == {"number": f"must be between {-(1 << 31)} and {(1 << 31) - 1}"}
    assert refused({"number": 1 << 40, "b": [1 << 70]}).keys() == {"b.0"}
    assert refused({"number": 1}, version=1 << 31).keys() == {"version"}
    written = capsys.readouterr().err
    assert "INSERT ..." in written
    assert "hunter2" not in written


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"null", "body"),
        (b'{"name": 1}', "name"),
        (b'{"name": "\\u0000", "": 1}', "body"),
        (b'{"name": "x", "\\ud800": 1}', "body"),
    ],
    ids=["empty", "cut", "list", "null", "type", "empty-name", "half-surrogate"],
)
def test_bodies_that_are_wrong_as_a_whole(body: bytes, field: str) -> None:
    answer = app_with().post("/things", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert field in errors(answer)


@pytest.mark.parametrize("said", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_a_body_that_is_not_sent_as_json_is_415_and_says_what_to_send(said: str | None) -> None:
    headers = {"Content-Type": said} if said else {}
    answer = app_with().post("/things", content=b'{"name": "x"}', headers=headers)
    assert answer.status_code == 415, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unsupported_media"
    assert "application/json" in answer.json()["detail"]
    assert said is None or said in answer.json()["detail"]


@pytest.mark.parametrize("said", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"])
def test_json_by_any_of_its_names_is_read(said: str) -> None:
    answer = app_with().post("/things", content=b'{"name": "x"}', headers={"Content-Type": said})
    assert answer.status_code == 200, answer.text


def test_bytes_that_are_not_utf8() -> None:
    assert reading(b'{"name": "\xff"}') == {"name": "is not UTF-8"}
    assert reading(b'{"sizes": [1], "other": {"inner": [0, "\xc3"]}}') == {"other.inner.1": "is not UTF-8"}
    assert reading(b'{"name": "x", "other": {"\xff": 1}}') == {"other": "a name in it is not UTF-8"}
    assert reading(b'{"name": "x\xff') == {"body": "is not UTF-8"}
    assert reading(b"\xff") == {"body": "is not UTF-8"}


def test_a_number_of_thousands_of_digits() -> None:
    assert reading(b'{"name": "x", "sizes": [1, -' + b"9" * 5_000 + b"]}") == {
        "sizes.1": "is a number of too many digits"
    }
    assert reading(b"9" * 5_000) == {"body": "is a number of too many digits"}


def test_a_body_that_is_nested_deeper_than_it_can_be_read() -> None:
    assert reading(b'{"name": ' + b"[" * 200_000 + b"]" * 200_000 + b"}") == {"body": "is nested too deep"}


def reading(body: bytes) -> dict[str, str]:
    """What is said to be wrong with this body."""
    answer = app_with().post("/things", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    return errors(answer)


def test_a_thousand_wrong_fields_are_all_listed_and_the_summary_stays_short() -> None:
    answer = app_with().post("/things", json={"name": "x", "sizes": [0] * 1_000})
    assert len(answer.json()["errors"]) == 1_000
    assert len(answer.json()["detail"]) < 1_000
    assert "995 more" in answer.json()["detail"]


def test_nothing_there_and_the_wrong_method() -> None:
    client = app_with()
    missing, wrong = client.get("/nowhere"), client.get("/things")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


def test_an_exception_in_the_middle_of_an_answer_breaks_it() -> None:
    from starlette.responses import StreamingResponse

    def endpoint() -> StreamingResponse:
        def pieces() -> Any:
            yield b"half"
            raise RuntimeError("no more")

        return StreamingResponse(pieces())

    with pytest.raises(RuntimeError, match="no more"):
        app_with(endpoint).get("/it")


@pytest.mark.parametrize("given", ["abc", "A.b_c-9", "x" * 64])
def test_a_sane_request_id_is_kept(given: str) -> None:
    answer = app_with().get("/nowhere", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given == answer.json()["request_id"]


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "<script>", "ünï", "a\n"])
def test_any_other_is_replaced(given: str) -> None:
    answer = app_with().get("/nowhere", headers={b"X-Request-ID": given.encode()})
    made = answer.headers["x-request-id"]
    assert made != given
    assert len(made) == 32


def test_problems_can_be_read_by_any_json_reader() -> None:
    answer = raising(Invalid("x", problems=[FieldProblem("f", "ünï \ud83d 😀")])).get("/it")
    assert json.load(io.BytesIO(answer.content))["errors"][0]["field"] == "f"
