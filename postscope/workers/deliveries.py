"""Sends the webhooks that are due."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from postscope.backend import webhooks
from postscope.backend.fetch_errors import FetchError
from postscope.backend.runtime import Runtime
from postscope.backend.webhooks import Message

log = structlog.get_logger(__name__)

RETRYABLE = frozenset({408, 409, 425, 429})
"""Client errors that another time may not bring; so may every 5xx and no answer at all."""


def deliver_due(runtime: Runtime, *, stop: Callable[[], bool] = lambda: False) -> int:
    """Send until nothing is due.

    Returns:
        How many messages were sent, whether they arrived or not.
    """
    sent = 0
    while not stop():
        with runtime.database.session() as session:
            messages = webhooks.claim(session, now=runtime.clock())
        if not messages:
            break
        for message in messages:
            _send(runtime, message)
        sent += len(messages)
    return sent


def _send(runtime: Runtime, message: Message) -> None:
    status: int | None = None
    error: str | None = None
    retryable = True
    try:
        status = runtime.messenger.post(message.url, message.body, message.headers(runtime.clock()))
    except FetchError as failure:
        error, retryable = failure.reason, failure.retryable
    else:
        if not 200 <= status < 300:
            error, retryable = f"the server answered {status}", status >= 500 or status in RETRYABLE
    if error is not None:
        log.warning("webhook_not_delivered", delivery=str(message.id), attempt=message.attempts, reason=error)
    with runtime.database.session() as session:
        webhooks.settle(
            session,
            message,
            status=status,
            error=error,
            retryable=retryable,
            now=runtime.clock(),
            settings=runtime.settings.webhooks,
        )
