"""Bodies that are too large and callers that come too often; a Redis that goes away."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import pytest
from fastapi import FastAPI, Request, UploadFile
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from postscope.backend.app import create_app
from postscope.backend.auth import CACHE_SECONDS, Role
from postscope.backend.database import Database
from postscope.backend.errors import TooManyRequests
from postscope.backend.limits import Allowance, BodyLimit, RateLimiter
from postscope.backend.runtime import Runtime
from postscope.backend.settings import Settings
from postscope.cli.serving import build_server
from tests.conftest import ApiKeyMaker, SetClock, bearer
from tests.servers import RedisServer, free_port

LIMIT = 1_000


@pytest.fixture
def echo() -> TestClient:
    app = FastAPI()
    app.add_middleware(BodyLimit, max_bytes=LIMIT)

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.post("/json")
    def parsed(body: list[int]) -> int:
        return len(body)

    @app.post("/file")
    def file(file: UploadFile) -> int:
        return len(file.file.read())

    @app.post("/deaf")
    def deaf() -> str:
        return "never read it"

    return TestClient(app)


def in_pieces(total: int) -> Iterator[bytes]:
    """Sent without a Content-Length."""
    while total > 0:
        yield b"1" * min(total, 100)
        total -= 100


@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT])
def test_up_to_the_limit_is_served(echo: TestClient, size: int) -> None:
    assert echo.post("/raw", content=b"x" * size).json() == size
    assert echo.post("/raw", content=in_pieces(size)).json() == size


@pytest.mark.parametrize("path", ["/raw", "/json", "/file", "/deaf"])
def test_a_declared_body_beyond_it_is_refused_unread(echo: TestClient, path: str) -> None:
    answer = echo.post(path, content=b"x" * (LIMIT + 1))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "too_large"


@pytest.mark.parametrize("path", ["/raw", "/json"])
def test_a_streamed_body_beyond_it_is_refused(echo: TestClient, path: str) -> None:
    answer = echo.post(path, content=in_pieces(LIMIT + 1), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"


def test_a_streamed_file_beyond_it_is_refused(echo: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        yield from in_pieces(LIMIT)
        yield b"\r\n--b--\r\n"

    answer = echo.post("/file", content=parts(), headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 413


def test_a_length_that_lies_does_not_help() -> None:
    """Servers refuse these, but the limit does not rest on that."""
    sent: list[Message] = []

    async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * 600, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"10")]}
    anyio.run(BodyLimit(read_all, LIMIT), scope, receive, send)
    assert sent[0]["status"] == 413


def spend(limiter: RateLimiter, who: str, times: int) -> list[Allowance | None]:
    async def run() -> list[Allowance | None]:
        return [await limiter.count(who) for _ in range(times)]

    return anyio.run(run)


def test_a_key_has_its_allowance_and_no_more() -> None:
    limiter = RateLimiter(3, 1)
    left = [allowance.remaining for allowance in spend(limiter, "a", 3) if allowance]
    assert left == [2, 1, 0]
    with pytest.raises(TooManyRequests) as caught:
        spend(limiter, "a", 1)
    assert 1 <= int(caught.value.headers["Retry-After"]) <= 60
    assert spend(limiter, "b", 1) != [None]


@pytest.fixture
def narrow(settings: Settings, database: Database, clock: SetClock) -> Iterator[TestClient]:
    api = settings.api.model_copy(update={"requests_per_minute": 3, "failed_keys_per_minute": 2})
    with TestClient(create_app(Runtime(settings.model_copy(update={"api": api}), database, clock=clock))) as client:
        yield client


def test_the_answer_is_429_and_tells_when_to_come_again(narrow: TestClient, api_key: ApiKeyMaker) -> None:
    headers = bearer(api_key(Role.ADMIN))
    served = [narrow.get("/v1/keys", headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in served] == [200, 200, 200]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in served] == ["r=2", "r=1", "r=0"]
    assert served[0].headers["ratelimit-policy"] == '"default";q=3;w=60'
    refused = narrow.get("/v1/keys", headers=headers)
    assert refused.status_code == 429
    assert refused.json()["code"] == "too_many_requests"
    assert int(refused.headers["retry-after"]) >= 1
    assert "r=0" in refused.headers["ratelimit"]
    assert narrow.get("/v1/keys", headers=bearer(api_key(Role.ADMIN))).status_code == 200


def test_whoever_tries_keys_is_stopped_and_whoever_has_one_is_not(narrow: TestClient, api_key: ApiKeyMaker) -> None:
    known = bearer(api_key(Role.ADMIN))
    assert narrow.get("/v1/keys", headers=known).status_code == 200
    guesses = [narrow.get("/v1/keys", headers=bearer(f"ps_{n:043}")).status_code for n in range(4)]
    assert guesses == [401, 401, 429, 429]
    assert narrow.get("/v1/keys").status_code == 429
    assert narrow.get("/v1/keys", headers=known).status_code == 200
    assert narrow.get("/healthz").status_code == 200


def test_a_key_that_was_valid_stays_so_whatever_strangers_do_at_its_address(
    narrow: TestClient, api_key: ApiKeyMaker, clock: SetClock
) -> None:
    known, revoked = bearer(api_key(Role.ADMIN)), bearer(api_key(Role.ADMIN))
    listed = narrow.get("/v1/keys", headers=known).json()
    assert narrow.get("/v1/keys", headers=revoked).status_code == 200
    assert [narrow.get("/v1/keys", headers=bearer(f"ps_{n:043}")).status_code for n in range(3)] == [401, 401, 429]
    clock.forward(seconds=CACHE_SECONDS + 1)
    assert narrow.get("/v1/keys", headers=known).status_code == 200
    narrow.delete(f"/v1/keys/{listed['keys'][-1]['id']}", headers=known)
    assert narrow.get("/v1/keys", headers=revoked).status_code == 429  # a stranger's, like any other


@pytest.mark.parametrize(("proxy", "second"), [("10.1.2.3", 401), ("192.0.2.1", 429)])
def test_behind_a_trusted_proxy_each_client_has_an_address_of_its_own(
    settings: Settings, database: Database, proxy: str, second: int
) -> None:
    api = settings.api.model_copy(update={"failed_keys_per_minute": 1, "trusted_proxies": ("10.0.0.0/8",)})
    config = build_server(Runtime(settings.model_copy(update={"api": api}), database)).config
    config.load()

    async def knock(client: str) -> int:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request"}

        scope = {"type": "http", "method": "GET", "path": "/v1/keys", "query_string": b"", "client": (proxy, 1)}
        await config.loaded_app(scope | {"headers": [(b"x-forwarded-for", client.encode())]}, receive, send)  # type: ignore[arg-type]
        return int(sent[0]["status"])

    assert [anyio.run(knock, client) for client in ("203.0.113.1", "203.0.113.2")] == [401, second]
    assert anyio.run(knock, "203.0.113.1") == 429


def test_processes_that_serve_together_count_together(redis_server: RedisServer) -> None:
    one, other = (RateLimiter(4, 1, redis_url=redis_server.url) for _ in range(2))
    spend(one, "shared", 2)
    spend(other, "shared", 2)
    for limiter in (one, other):
        with pytest.raises(TooManyRequests):
            spend(limiter, "shared", 1)


def test_without_redis_requests_are_let_through_and_counted_as_such() -> None:
    unlimited: list[None] = []
    limiter = RateLimiter(
        1, 1, redis_url=f"redis://127.0.0.1:{free_port()}/0", on_unavailable=lambda: unlimited.append(None)
    )
    assert spend(limiter, "a", 5) == [None] * 5
    assert len(unlimited) == 5


def test_redis_that_comes_back_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postscope.backend.limits._REST_SECONDS", 0.0)
    with RedisServer() as server:
        limiter = RateLimiter(100, 1, redis_url=server.url)
        assert spend(limiter, "a", 1) != [None]
        server.stop()
        assert spend(limiter, "a", 1) == [None]
        server.start()
        assert spend(limiter, "a", 1) != [None]
