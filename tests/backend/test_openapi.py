"""The OpenAPI document is true: whatever is made of it, the service answers as it says, and never with a 500."""

from __future__ import annotations

from typing import Any

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
