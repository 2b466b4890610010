"""The OpenAPI document is true: whatever is made of it, the service answers as it says, and never with a 500."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from postscope.backend.auth import Role
from postscope.migrations.collections.live import ensure_live_space
from tests.conftest import ApiKeyMaker, bearer

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def headers(api_key: ApiKeyMaker) -> dict[str, str]:
    return bearer(api_key(Role.ADMIN))


def test_every_operation_keeps_its_word(client: TestClient, headers: dict[str, str]) -> None:
    ensure_live_space(client.app.state.runtime)
    document = schemathesis.openapi.from_asgi("/openapi.json", client.app, headers=headers)
    tried = set()
    for found in document.get_all_operations():
        operation = found.ok()

        @settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def holds(case: Any) -> None:
            case.validate_response(case.call(headers=headers), checks=CHECKS)

        holds()
        tried.add(operation.label)
    assert {"POST /v1/posts", "POST /v1/search", "GET /v1/posts/{post_id}/similar", "POST /v1/media"} <= tried


def addressed(path: str) -> str:
    """An address of this path that leads to nothing."""
    path = re.sub(r"\{(number|version)\}", "1", path)
    return re.sub(r"\{[^}]+\}", str(UUID(int=1)), path)


def fields(answer: httpx.Response) -> set[str]:
    return {error["field"] for error in answer.json().get("errors", ())}


def calls(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method, path, operation


def test_nul_in_a_parameter_is_refused_by_every_operation_that_takes_one(
    client: TestClient, headers: dict[str, str]
) -> None:
    tried = 0
    for method, path, operation in calls(client.get("/openapi.json", headers=headers).json()):
        for parameter in operation.get("parameters", []):
            name = parameter["name"]
            if parameter["in"] == "query":
                answer = client.request(method, addressed(path), params={name: "a/\0b"}, headers=headers)
            elif parameter["in"] == "path":
                answer = client.request(
                    method, addressed(path.replace(f"{{{name}}}", "a%00b")), headers=headers
                )  # fmt: skip
            else:
                continue
            assert answer.status_code == 422, (method, path, name, answer.text)
            assert name in fields(answer), (method, path, name, answer.text)
            tried += 1
    assert tried > 150


@pytest.mark.parametrize(
    "given",
    [str(1 << 31), str(1 << 63), str(-(1 << 63) - 1), "9" * 5_000],
    ids=["32 bits", "64 bits", "below", "digits"],
)
def test_a_whole_number_out_of_range_is_refused_by_every_operation_that_takes_one(
    client: TestClient, headers: dict[str, str], given: str
) -> None:
    tried = 0
    for method, path, operation in calls(client.get("/openapi.json", headers=headers).json()):
        for parameter in operation.get("parameters", []):
            kinds = parameter["schema"].get("anyOf", [parameter["schema"]])
            largest = [kind["maximum"] for kind in kinds if kind.get("type") == "integer"]
            if not largest or (given == str(1 << 31) and largest[0] >= 1 << 31):
                continue
            name = parameter["name"]
            answer = (
                client.request(method, addressed(path), params={name: given}, headers=headers)
                if parameter["in"] == "query"
                else client.request(method, addressed(path.replace(f"{{{name}}}", given)), headers=headers)
            )
            assert answer.status_code == 422, (method, path, name, answer.text)
            assert name in fields(answer), (method, path, name, answer.text)
            tried += 1
    assert tried > 30


def bodies(client: TestClient, headers: dict[str, str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every call that takes JSON, with each example of what it takes."""
    for method, path, operation in calls(client.get("/openapi.json", headers=headers).json()):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is not None:
            examples = [item["value"] for item in content.get("examples", {}).values()] or [content["example"]]
            for example in examples:
                yield method, path, example


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, name))
    else:
        yield path


def with_leaf(body: Any, path: tuple[str | int, ...], value: Any) -> Any:
    copied = copy.deepcopy(body)
    inner = copied
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return copied


@pytest.mark.parametrize(
    ("raw", "reason"), [(b'"a\xffb"', "UTF-8"), (b"9" * 5_000, "digits")], ids=["no UTF-8", "many digits"]
)
def test_a_value_that_no_json_reader_takes_is_refused_by_name_by_every_operation(
    client: TestClient, headers: dict[str, str], raw: bytes, reason: str
) -> None:
    tried = 0
    for method, path, example in bodies(client, headers):
        for leaf in leaves(example):
            sent = json.dumps(with_leaf(example, leaf, "here it is")).encode().replace(b'"here it is"', raw)
            said = {**headers, "Content-Type": "application/json"}
            answer = client.request(method, addressed(path), content=sent, headers=said)
            assert answer.status_code == 422, (method, path, leaf, answer.text)
            (error,) = answer.json()["errors"]
            assert error["field"] == ".".join(map(str, leaf)), (method, path, answer.text)
            assert reason in error["reason"]
            tried += 1
    assert tried > 60


def test_a_value_that_cannot_be_kept_is_refused_by_name_or_taken_without(
    client: TestClient, headers: dict[str, str]
) -> None:
    """Of many texts NUL is left out, and some numbers may be as large as they like: those are no errors."""
    ensure_live_space(client.app.state.runtime)
    tried = refused = 0
    for method, path, example in bodies(client, headers):
        for leaf, value in itertools.product(leaves(example), ("a\0b", 10**30)):
            answer = client.request(method, addressed(path), json=with_leaf(example, leaf, value), headers=headers)
            assert answer.status_code not in {400, 500, 503}, (method, path, leaf, answer.text)
            tried += 1
            if answer.status_code == 422:
                named = {field.split(".")[0] for field in fields(answer)}
                assert leaf[0] in named, (method, path, leaf, answer.text)
                refused += 1
    assert tried > 120
    assert refused > 60
