"""The OpenAPI document is true: whatever is made of it, the service answers as it says, and never with a 500."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

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


def test_nul_in_a_parameter_is_refused_by_every_operation_that_takes_one(
    client: TestClient, headers: dict[str, str]
) -> None:
    document = client.get("/openapi.json", headers=headers).json()
    tried = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            texts = [p for p in operation.get("parameters", []) if p["in"] == "query"]
            for parameter in texts:
                address = re.sub(r"\{[^}]+\}", str(UUID(int=1)), path)
                answer = client.request(method, address, params={parameter["name"]: "a/\0b"}, headers=headers)
                assert answer.status_code == 422, (method, path, parameter["name"], answer.text)
                fields = {error["field"] for error in answer.json()["errors"]}
                assert parameter["name"] in fields, (method, path, fields)
                tried += 1
            if "{name}" in path:
                answer = client.request(method, path.replace("{name}", "a%00b"), headers=headers)
                assert answer.status_code == 422, (method, path, answer.text)
    assert tried > 50
