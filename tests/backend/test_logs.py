"""Log lines: one JSON object each, with the request's id, from every library, and never a secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from postscope.backend.auth import Role
from postscope.backend.logs import bind_request_id, configure_logging, current_request_id, redact, sane_request_id
from tests.conftest import ApiKeyMaker, bearer

KEY = "ps_" + "Ab3_-" * 8 + "xyz"


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Configured anew on the captured stream; call it for the lines so far."""
    configure_logging("info")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    configure_logging("warning")


def test_an_event_is_one_json_object(lines: Any) -> None:
    structlog.get_logger("postscope.x").info("stage_done", posts=64, text="two\nlines", who=object)
    (line,) = lines()
    assert line["event"] == "stage_done"
    assert line["posts"] == 64
    assert line["level"] == "info"
    assert line["logger"] == "postscope.x"
    assert line["timestamp"].endswith("Z")


def test_the_standard_librarys_lines_go_the_same_way(lines: Any) -> None:
    with bind_request_id("r-1"):
        logging.getLogger("uvicorn.error").warning("went %s", "wrong")
    logging.getLogger("sqlalchemy.engine.Engine").info("SELECT 1")
    (line,) = lines()
    assert (line["event"], line["level"], line["request_id"]) == ("went wrong", "warning", "r-1")


def test_configuring_twice_does_not_double_the_lines(lines: Any) -> None:
    configure_logging("info")
    structlog.get_logger("x").info("once")
    assert len(lines()) == 1


def test_the_level_is_kept(lines: Any) -> None:
    configure_logging("error")
    structlog.get_logger("x").warning("quiet")
    assert lines() == []


def test_an_exception_is_told_with_its_trace_and_without_its_secrets(lines: Any) -> None:
    try:
        raise ConnectionError(f"postgresql://postscope:hunter2@db:5432/x refused, key {KEY}")
    except ConnectionError:
        structlog.get_logger("x").exception("failed")
    (line,) = lines()
    assert "test_logs.py" in line["exception"]
    assert "hunter2" not in line["exception"]
    assert KEY not in line["exception"]
    assert "@db:5432/x" in line["exception"]


@pytest.mark.parametrize(
    "name",
    ["authorization", "Authorization", "api_key", "X-API-Key", "key", "secret", "client_secret", "password", "token",
     "access_token", "author_key", "cookie"],
)  # fmt: skip
def test_values_under_telling_names_are_hidden(name: str) -> None:
    assert redact(None, "", {"event": "x", name: "hunter2"})[name] == "***"
    assert redact(None, "", {"event": "x", "inner": [{name: "hunter2"}]})["inner"] == [{name: "***"}]


@pytest.mark.parametrize("name", ["key_id", "monkey", "keyboard", "tokens_used", "prefix"])
def test_names_that_only_look_telling_are_not(name: str) -> None:
    assert redact(None, "", {"event": "x", name: "plain"})[name] == "plain"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:hunter2@r:6379/0", "redis://***@r:6379/0"),
        ("postgresql+psycopg://u:p%40ss@h/db", "postgresql+psycopg://***@h/db"),
        ("https://u:hunter@2@h/", "https://***@h/"),
        ("Bearer abc.def", "Bearer ***"),
        (f"with {KEY}.", "with ps_***."),
        ("https://example.org/@name:x", "https://example.org/@name:x"),
        ("10:30 - mail a@b.c", "10:30 - mail a@b.c"),
    ],
)
def test_secrets_inside_a_text(text: str, shown: str) -> None:
    assert redact(None, "", {"event": text})["event"] == shown


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), nested))
def test_redaction_takes_anything_and_adds_nothing(event: dict[str, Any]) -> None:
    assert redact(None, "", dict(event)).keys() == event.keys()


def test_a_value_that_holds_itself_ends() -> None:
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    redact(None, "", {"event": "x", "value": loop})


def test_the_request_id_is_there_inside_and_gone_outside() -> None:
    assert current_request_id() is None
    with bind_request_id("outer"):
        with bind_request_id("inner"):
            assert current_request_id() == "inner"
        with bind_request_id(None):
            assert current_request_id() == "outer"
    assert current_request_id() is None


@given(st.text(max_size=80))
def test_a_request_id_is_always_harmless(given_id: str) -> None:
    made = sane_request_id(given_id)
    assert 1 <= len(made) <= 64
    assert all(c.isascii() and (c.isalnum() or c in "._-") for c in made)


def test_a_request_is_one_line_without_its_query_or_its_key(
    client: TestClient, api_key: ApiKeyMaker, lines: Any
) -> None:
    secret = api_key(Role.ADMIN)
    answer = client.get("/v1/keys?page=private", headers=bearer(secret) | {"X-Request-ID": "r-7"})
    assert answer.status_code == 200
    told = [line for line in lines() if line["event"] == "request"]
    assert len(told) == 1
    assert told[0]["request_id"] == "r-7"
    assert told[0]["route"] == "/v1/keys"
    assert told[0]["status"] == 200
    assert told[0]["key_id"]
    assert "private" not in json.dumps(told)
    assert secret not in json.dumps(told)
