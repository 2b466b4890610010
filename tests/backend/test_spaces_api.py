"""Spaces over HTTP: for admins, as runs, one at a time."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from postscope.backend.auth import Role
from postscope.migrations.collections.live import ensure_live_space
from postscope.workers.long_runs import work_runs
from tests.conftest import ApiKeyMaker, bearer


def test_a_way_back_that_is_not_there_is_a_failed_run_with_its_reason(client: TestClient, api_key: ApiKeyMaker) -> None:
    admin = bearer(api_key(Role.ADMIN))
    ensure_live_space(client.app.state.runtime)
    [space] = client.get("/v1/space", headers=admin).json()["spaces"]
    assert (space["state"], space["aliased"], space["points"]) == ("live", True, 0)

    asked = client.post("/v1/space/rollback", headers=admin)
    assert asked.status_code == 202
    other = client.delete("/v1/space/previous", headers=admin)
    assert (other.status_code, other.json()["code"]) == (409, "run_exists")
    work_runs(client.app.state.runtime)
    run = client.get(f"/v1/runs/{asked.json()['id']}", headers=admin).json()
    assert run["state"] == "failed"
    assert "no previous space" in run["error"]
    actions = [entry["action"] for entry in client.get("/v1/audit", headers=admin).json()["entries"]]
    assert actions == ["space.rollback"], "what was refused was not done"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/space"), ("POST", "/v1/space/rollback"), ("DELETE", "/v1/space/previous")],
)
def test_only_admins(client: TestClient, api_key: ApiKeyMaker, method: str, path: str) -> None:
    analyst = bearer(api_key(Role.ANALYST))
    assert client.request(method, path, headers=analyst).status_code == 403
