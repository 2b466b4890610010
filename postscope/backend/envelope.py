"""What happens around every request: its id, one log line, its figures, and an answer to what nobody foresaw."""

from __future__ import annotations

import time
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from postscope.backend.auth import Caller
from postscope.backend.limits import Allowance
from postscope.backend.logs import bind_request_id, sane_request_id
from postscope.backend.metrics import Metrics
from postscope.backend.problems import Problem

log = structlog.get_logger(__name__)

REQUEST_ID_HEADER = "X-Request-ID"


class RequestEnvelope:
    """ASGI middleware, the outermost."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = sane_request_id(Headers(scope=scope).get(REQUEST_ID_HEADER))
        with bind_request_id(request_id):
            await _Request(self._app, self._metrics, scope, request_id).serve(receive, send)


class _Request:
    def __init__(self, app: ASGIApp, metrics: Metrics, scope: Scope, request_id: str) -> None:
        self._app = app
        self._metrics = metrics
        self._scope = scope
        self._state: dict[str, Any] = scope.setdefault("state", {})
        self._request_id = request_id
        self._status: int | None = None

    async def serve(self, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._status = message["status"]
                self._add_headers(MutableHeaders(scope=message))
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(self._scope, receive, send_with_headers)
        except Exception:
            log.exception("request_failed", method=self._scope["method"], route=self._route())
            if self._status is not None:
                raise  # half of the answer is out: the server has to break the connection
            await Problem.unforeseen()(self._scope, receive, send_with_headers)
        finally:
            self._note(time.perf_counter() - started)

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers[REQUEST_ID_HEADER] = self._request_id
        headers["X-Content-Type-Options"] = "nosniff"
        headers.setdefault("Cache-Control", "no-store")
        allowance = self._state.get("allowance")
        if isinstance(allowance, Allowance):
            headers.update(allowance.headers())

    def _note(self, seconds: float) -> None:
        status = self._status or 499  # the client left before there was an answer
        self._metrics.request(self._route(), self._scope["method"], status, seconds)
        caller = self._state.get("caller")
        client = self._scope.get("client")
        log.info(
            "request",
            method=self._scope["method"],
            path=self._scope["path"],
            route=self._route(),
            status=status,
            seconds=round(seconds, 4),
            client=client[0] if client else None,
            key_id=str(caller.key_id) if isinstance(caller, Caller) else None,
        )

    def _route(self) -> str:
        return getattr(self._scope.get("route"), "path_format", None) or "unmatched"
