"""Limits on the size of a body and on the rate of requests."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.retry import Retry
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from postscope.backend.errors import TooLarge, TooManyRequests
from postscope.backend.problems import Problem
from postscope.backend.request_counts import ProcessCounts

log = structlog.get_logger(__name__)

_WINDOW_SECONDS: Final = 60
_REDIS_TIMEOUT: Final = 0.25
_REST_SECONDS: Final = 5.0
"""How long a Redis that did not answer is left alone: a request must not wait for one that is down."""


class BodyLimit:
    """ASGI middleware: a body of more than ``max_bytes`` is answered with 413, declared or streamed."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _declared_length(scope) > self._max_bytes:
            await self._refusal()(scope, receive, send)
        else:
            await _CountedBody(self._app, self._max_bytes, self._refusal).serve(scope, receive, send)

    def _refusal(self) -> Problem:
        return Problem.of(TooLarge(f"the body has more than {self._max_bytes} bytes"))


class _CountedBody:
    """One request whose body is counted while it comes in."""

    def __init__(self, app: ASGIApp, max_bytes: int, refusal: Callable[[], Problem]) -> None:
        self._app = app
        self._left = max_bytes
        self._refusal = refusal
        self._answered = False

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted_receive() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self._left -= len(message.get("body", b""))
                if self._left < 0:
                    raise _TooMuch
            return message

        async def guarded_send(message: Message) -> None:
            # Whoever reads the body may turn the exception into an answer of its own: this one is the right one.
            if self._left < 0 and not self._answered:
                return
            self._answered = True
            await send(message)

        try:
            await self._app(scope, counted_receive, guarded_send)
        except _TooMuch:
            if self._answered:
                raise
        if self._left < 0 and not self._answered:
            await self._refusal()(scope, receive, send)


class _TooMuch(Exception):
    pass


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a caller's requests, and seconds until there is more again."""

    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-10 writes it."""
        return {
            "RateLimit-Policy": f'"default";q={self.limit};w={_WINDOW_SECONDS}',
            "RateLimit": f'"default";r={self.remaining};t={self.reset}',
        }


class RateLimiter:
    """Counts requests a minute, by key and, of those without a valid one, by address.

    Args:
        per_minute: a key's allowance.
        strangers_per_minute: how often an address may come without a valid key.
        redis_url: where processes that serve together count; in this process's memory without one.
        on_unavailable: called for each request that was let through because Redis did not answer.
    """

    def __init__(
        self,
        per_minute: int,
        strangers_per_minute: int,
        *,
        redis_url: str | None = None,
        on_unavailable: Callable[[], None] = lambda: None,
    ) -> None:
        self._per_minute = RateLimitItemPerMinute(per_minute, namespace="postscope")
        self._strangers = RateLimitItemPerMinute(strangers_per_minute, namespace="postscope-strangers")
        self._remote = redis_url is not None
        self._strategy = SlidingWindowCounterRateLimiter(_storage(redis_url))
        self._on_unavailable = on_unavailable
        self._lock = threading.Lock()
        self._rest_until = 0.0

    async def count(self, caller: str) -> Allowance | None:
        """Count one request.

        Returns:
            What is left; None when it cannot be known now.

        Raises:
            TooManyRequests: nothing is left.
        """
        return await self._run(lambda: self._hit(self._per_minute, caller))

    async def count_stranger(self, address: str) -> None:
        """Count one request without a valid key."""
        await self._run(lambda: self._hit(self._strangers, address))

    async def admit_stranger(self, address: str) -> None:
        """Raise ``TooManyRequests`` when this address has come too often without a valid key."""
        await self._run(lambda: self._test(self._strangers, address))

    async def _run(self, ask: Callable[[], Allowance | None]) -> Allowance | None:
        if not self._remote:
            return ask()
        if time.monotonic() < self._rest_until:
            self._on_unavailable()
            return None
        try:
            return await run_in_threadpool(ask)
        except StorageError as error:
            self._note_failure(error)
            return None

    def _note_failure(self, error: StorageError) -> None:
        self._on_unavailable()
        with self._lock:
            first = time.monotonic() >= self._rest_until
            self._rest_until = time.monotonic() + _REST_SECONDS
        if first:
            log.warning("rate_limit_unavailable", reason=str(error), next_try_seconds=_REST_SECONDS)

    def _hit(self, item: RateLimitItem, who: str) -> Allowance:
        allowed = self._strategy.hit(item, who)
        allowance = self._allowance(item, who)
        if not allowed:
            raise _refused(allowance)
        return allowance

    def _test(self, item: RateLimitItem, who: str) -> None:
        if not self._strategy.test(item, who):
            raise _refused(self._allowance(item, who))

    def _allowance(self, item: RateLimitItem, who: str) -> Allowance:
        stats = self._strategy.get_window_stats(item, who)
        return Allowance(item.amount, max(stats.remaining, 0), max(1, math.ceil(stats.reset_time - time.time())))


def _refused(allowance: Allowance) -> TooManyRequests:
    return TooManyRequests(
        f"more than {allowance.limit} requests a minute; try again in {allowance.reset} s",
        headers={"Retry-After": str(allowance.reset), **allowance.headers()},
    )


def _storage(redis_url: str | None) -> ProcessCounts | RedisStorage:
    if redis_url is None:
        return ProcessCounts()
    pool = ConnectionPool.from_url(
        redis_url,
        socket_timeout=_REDIS_TIMEOUT,
        socket_connect_timeout=_REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    return RedisStorage(redis_url, connection_pool=pool, key_prefix="postscope:limits", wrap_exceptions=True)
