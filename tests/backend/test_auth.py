"""Keys and roles: who gets in, who does not, and for how long a revoked key is believed."""

from __future__ import annotations

import hashlib
import re
import threading
from uuid import UUID, uuid4

import anyio
import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from starlette.types import Message

from postscope.backend.app import ROUTERS, create_app
from postscope.backend.auth import (
    CACHE_SECONDS,
    Authenticator,
    Caller,
    Role,
    authenticate,
    create_key,
    ensure_first_key,
    list_keys,
    revoke_key,
)
from postscope.backend.database import Database
from postscope.backend.errors import Invalid, NotFound, Unauthenticated
from postscope.backend.health import Readiness
from postscope.backend.limits import RateLimiter
from postscope.backend.routes.docs import docs_router
from postscope.backend.runtime import Runtime
from postscope.backend.settings import Settings
from tests.conftest import ApiKeyMaker, SetClock, bearer

OPEN = {"/healthz", "/readyz"}


def key_id_of(database: Database, secret: str) -> UUID:
    with database.session() as session:
        return authenticate(session, secret).key_id


def test_a_key_is_256_bits_and_only_its_hash_is_kept(database: Database, clock: SetClock) -> None:
    with database.session() as session:
        key, secret = create_key(session, "importer", [Role.INGEST, Role.INGEST], now=clock())
        assert re.fullmatch(r"ps_[A-Za-z0-9_-]{43}", secret)
        assert key.roles == ["ingest"]
        assert secret.startswith(key.prefix)
        assert len(key.prefix) == 11
    with database.session() as session:
        kept = str(session.execute(text("SELECT row_to_json(api_keys)::text FROM api_keys")).scalar_one())
        assert hashlib.sha256(secret.encode()).hexdigest() in kept
        assert secret not in kept
        assert authenticate(session, secret) == Caller(key.id, "importer", frozenset({Role.INGEST}))


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x00b"])
def test_a_key_needs_a_name(database: Database, clock: SetClock, name: str) -> None:
    with database.session() as session, pytest.raises(Invalid) as caught:
        create_key(session, name, [Role.ADMIN], now=clock())
    assert caught.value.problems[0].field == "name"


def test_a_key_needs_a_role(database: Database, clock: SetClock) -> None:
    with database.session() as session, pytest.raises(Invalid) as caught:
        create_key(session, "nothing", [], now=clock())
    assert caught.value.problems[0].field == "roles"


def test_the_first_start_makes_an_admin_key_and_no_later_one_does(database: Database, clock: SetClock) -> None:
    with database.session() as session:
        first = ensure_first_key(session, now=clock())
    assert first is not None
    with database.session() as session:
        caller = authenticate(session, first)
        assert caller.roles == {Role.ADMIN}
        revoke_key(session, caller.key_id, now=clock())
    with database.session() as session:
        assert ensure_first_key(session, now=clock()) is None


def test_of_several_that_start_at_once_one_makes_the_first_key(database: Database, clock: SetClock) -> None:
    made: list[str | None] = []
    together = threading.Barrier(4)

    def start() -> None:
        together.wait()
        with database.session() as session:
            made.append(ensure_first_key(session, now=clock()))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(key is not None for key in made) == 1
    with database.session() as session:
        assert len(list_keys(session)) == 1


def test_revoking_is_repeatable_and_an_unknown_key_is_said_to_be(database: Database, clock: SetClock) -> None:
    with database.session() as session:
        key, secret = create_key(session, "old", [Role.ANALYST], now=clock())
        revoke_key(session, key.id, now=clock())
        at = clock()
        clock.forward(hours=1)
        revoke_key(session, key.id, now=clock())
        assert key.revoked_at == at
        with pytest.raises(Unauthenticated):
            authenticate(session, secret)
        with pytest.raises(NotFound):
            revoke_key(session, uuid4(), now=clock())


def test_a_key_revoked_elsewhere_is_believed_half_a_minute_at_most(
    database: Database, clock: SetClock, api_key: ApiKeyMaker
) -> None:
    secret = api_key(Role.ANALYST)
    authenticator = Authenticator(database, clock)
    assert authenticator.remembered(secret) is None
    caller = authenticator.check(secret)
    with database.session() as session:
        revoke_key(session, caller.key_id, now=clock())
    clock.forward(seconds=CACHE_SECONDS - 1)
    assert authenticator.remembered(secret) == caller
    clock.forward(seconds=1)
    assert authenticator.remembered(secret) is None
    with pytest.raises(Unauthenticated):
        authenticator.check(secret)


def test_a_key_revoked_here_is_worthless_at_once(client: TestClient, database: Database, api_key: ApiKeyMaker) -> None:
    admin, victim = api_key(Role.ADMIN), api_key(Role.ANALYST)
    assert client.get("/metrics", headers=bearer(victim)).status_code == 200
    revoked = client.delete(f"/v1/keys/{key_id_of(database, victim)}", headers=bearer(admin))
    assert revoked.status_code == 204
    assert client.get("/metrics", headers=bearer(victim)).status_code == 401


def test_both_ways_to_send_a_key(client: TestClient, api_key: ApiKeyMaker) -> None:
    secret = api_key(Role.ADMIN)
    assert client.get("/v1/keys", headers=bearer(secret)).status_code == 200
    assert client.get("/v1/keys", headers={"X-API-Key": secret}).status_code == 200
    assert client.get("/v1/keys", headers={"Authorization": f"bearer {secret}"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer ps_short"},
        {"Authorization": "Bearer ps_" + "A" * 43},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"X-API-Key": ""},
        {"X-API-Key": "ps_" + "A" * 43 + "\x80"},
        {"X-API-Key": "ps_" + "A" * 5_000},
    ],
    ids=["none", "empty", "short", "unknown", "basic", "empty-header", "not-ascii", "long"],
)
def test_no_valid_key_is_401_and_says_how_to_send_one(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.get("/v1/keys", headers={name: value.encode("latin-1") for name, value in headers.items()})  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("path", ["/v1/posts", "/v1/media", "/v1/search", "/nowhere"])
def test_of_a_stranger_no_body_is_read(runtime: Runtime, path: str) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "client": ("203.0.113.9", 1)}
    scope |= {"headers": [(b"content-type", b"application/json"), (b"authorization", b"Bearer ps_" + b"x" * 43)]}
    anyio.run(create_app(runtime), scope, receive, send)
    assert sent[0]["status"] == 401
    assert dict(sent[0]["headers"])[b"content-type"] == b"application/problem+json"


def test_a_body_that_is_no_json_counts_as_a_request(client: TestClient, api_key: ApiKeyMaker) -> None:
    headers = bearer(api_key(Role.INGEST)) | {"Content-Type": "application/json"}
    left = []
    for _ in range(2):
        answer = client.post("/v1/posts", content=b"{", headers=headers)
        assert answer.status_code == 422
        left.append(int(answer.headers["ratelimit"].split("r=")[1].split(";")[0]))
    assert left[1] == left[0] - 1


@given(st.text(max_size=80))
def test_no_text_but_a_key_is_a_key(secret: str) -> None:
    class Untouched:
        def scalar(self, *_: object) -> None:
            assert re.fullmatch(r"ps_[A-Za-z0-9_-]{43}", secret)

    with pytest.raises(Unauthenticated):
        authenticate(Untouched(), secret)  # type: ignore[arg-type]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_an_admin_may_handle_keys(client: TestClient, api_key: ApiKeyMaker, role: Role) -> None:
    headers = bearer(api_key(role))
    answer = client.post("/v1/keys", headers=headers, json={"name": "more", "roles": ["admin"]})
    assert answer.status_code == 403
    assert "admin" in answer.json()["detail"]
    assert client.get("/v1/keys", headers=headers).status_code == 403
    assert client.delete(f"/v1/keys/{uuid4()}", headers=headers).status_code == 403


def test_a_key_made_over_http_works_and_is_shown_once(client: TestClient, api_key: ApiKeyMaker) -> None:
    admin = bearer(api_key(Role.ADMIN))
    made = client.post("/v1/keys", headers=admin, json={"name": "reports", "roles": ["analyst"]})
    assert made.status_code == 201
    assert client.get("/metrics", headers=bearer(made.json()["key"])).status_code == 200
    listed = client.get("/v1/keys", headers=admin)
    assert {"reports", "test"} == {key["name"] for key in listed.json()["keys"]}
    assert made.json()["key"] not in listed.text


def test_a_role_that_does_not_exist_is_named(client: TestClient, api_key: ApiKeyMaker) -> None:
    answer = client.post("/v1/keys", headers=bearer(api_key(Role.ADMIN)), json={"name": "x", "roles": ["emperor"]})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["roles.0"]


def test_revoking_a_key_that_is_not_there(client: TestClient, api_key: ApiKeyMaker) -> None:
    assert client.delete(f"/v1/keys/{uuid4()}", headers=bearer(api_key(Role.ADMIN))).status_code == 404


def test_no_endpoint_but_health_is_open(client: TestClient) -> None:
    # There are more endpoints than a stranger may try in a minute.
    client.app.state.limiter = RateLimiter(10_000, 10_000)  # type: ignore[attr-defined]
    document = client.app.openapi()  # type: ignore[attr-defined]
    client.app.state.readiness = Readiness({})  # type: ignore[attr-defined] # else a model would be opened
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            url = re.sub(r"{\w+}", str(uuid4()), path)
            answer = client.request(method, url)
            if path in OPEN:
                assert answer.status_code != 401, path
                assert "security" not in operation
            else:
                assert answer.status_code == 401, f"{method} {path} is open"
                assert operation["security"] == [{"bearer": []}, {"header": []}], path


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_the_documentation_is_for_whoever_has_a_key(client: TestClient, api_key: ApiKeyMaker, path: str) -> None:
    assert client.get(path).status_code == 401
    assert client.get(path, headers=bearer(api_key(Role.INGEST))).status_code == 200


def test_the_documentation_can_be_opened(settings: Settings, database: Database, clock: SetClock) -> None:
    api = settings.api.model_copy(update={"open_docs": True})
    runtime = Runtime(settings.model_copy(update={"api": api}), database, clock=clock)
    with TestClient(create_app(runtime)) as client:
        assert client.get("/docs").status_code == 200
        assert client.get("/openapi.json").json()["info"]["title"] == "Postscope"


def test_every_route_is_in_the_document_or_is_the_document() -> None:
    routes = [route for router in (*ROUTERS, docs_router(open_to_all=False)) for route in router.routes]
    assert all(isinstance(route, APIRoute) for route in routes)
    hidden = [route for route in routes if isinstance(route, APIRoute) and not route.include_in_schema]
    assert {route.path for route in hidden if route.methods != {"HEAD"}} == {"/docs", "/openapi.json"}
    assert {route.path for route in hidden if route.methods == {"HEAD"}} == OPEN
