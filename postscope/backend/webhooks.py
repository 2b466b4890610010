"""Webhooks: events go to the addresses that asked for them, signed, retried, each once.

A delivery is a row, written in the transaction of what it tells of, so an event is told if and only if it happened.
Messages follow the Standard Webhooks specification 1.0 (standardwebhooks.com): the same ``webhook-id`` at every
attempt, so that a receiver who hears a message twice can tell.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import orjson
import uuid_utils
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend.errors import Conflict, Invalid, NotFound
from postscope.backend.fetch_errors import Refused
from postscope.backend.fetching import Fetcher
from postscope.backend.setting_groups import WebhookSettings
from postscope.backend.tables import Webhook, WebhookDelivery


class Event(StrEnum):
    """All that can be told. What an address asks for must be one of these: nobody waits for what never comes."""

    ALERT_RAISED = "alert.raised"
    MODERATION_MATCH = "moderation.match"
    BANK_ENTRY_QUARANTINED = "bank_entry.quarantined"


EVERY: Final = "*"
_PING: Final = "webhook.ping"
_PREFIX: Final = "whsec_"
SENDING_SECONDS: Final = 120.0
"""After this a delivery whose sender has died is sent again."""
REASON_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery in the hands of a sender."""

    id: uuid.UUID
    url: str
    secret: str
    body: bytes
    attempts: int

    def headers(self, now: datetime) -> dict[str, str]:
        """What goes with the body: its id, the time, and the signature over both and the body."""
        at = str(int(now.timestamp()))
        return {
            "Content-Type": "application/json",
            "webhook-id": str(self.id),
            "webhook-timestamp": at,
            "webhook-signature": sign(self.secret, str(self.id), at, self.body),
        }


def sign(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def create(
    session: Session, fetcher: Fetcher, url: str, events: Sequence[str], *, actor: str, now: datetime
) -> Webhook:
    """Add an address. Its secret is made here and shown once.

    Args:
        session: it exists when it commits.
        fetcher: refuses addresses that may not be sent to.
        url: http or https.
        events: names of ``Event``; ``*`` for all.
        actor: who asked.
        now: the time.

    Raises:
        Invalid: the URL may not be sent to, or there is no such event.
    """
    try:
        fetcher.check(url)
    except Refused as error:
        raise Invalid.of("url", error.reason) from error
    wrong = [name for name in events if name != EVERY and name not in set(Event)]
    if wrong or not events:
        known = ", ".join(Event)
        said = f"{wrong[0]!r} is no event" if wrong else "must name one or more"
        raise Invalid.of("events", f"{said}: there are {known}, and {EVERY!r} for all")
    webhook = Webhook(
        id=_new_id(),
        url=url,
        secret=_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode(),
        events=sorted(set(events)),
        created_by=actor,
        created_at=now,
    )
    session.add(webhook)
    session.flush()
    return webhook


def every(session: Session) -> list[Webhook]:
    """All addresses, the oldest first."""
    return list(session.scalars(select(Webhook).order_by(Webhook.created_at, Webhook.id)))


def get(session: Session, webhook_id: uuid.UUID) -> Webhook:
    """One address.

    Raises:
        NotFound: there is none.
    """
    found = session.get(Webhook, webhook_id)
    if found is None:
        raise NotFound(f"there is no webhook {webhook_id}")
    return found


def remove(session: Session, webhook_id: uuid.UUID) -> None:
    """Send nothing there any more; what was sent is forgotten with it.

    Raises:
        NotFound: there is none.
    """
    session.delete(get(session, webhook_id))


def emit(session: Session, event: Event, payload: dict[str, Any], *, key: str, now: datetime) -> int:
    """Tell everybody who asked for it of an event, when this session commits.

    Args:
        session: the one that writes what the event tells of.
        event: what happened.
        payload: what happened, as JSON.
        key: names this very event: emitted again, it is not sent again.
        now: the time.

    Returns:
        How many will hear of it.
    """
    wanted = session.scalars(
        select(Webhook.id).where(Webhook.enabled, Webhook.events.bool_op("&&")([event, EVERY]))
    ).all()
    return sum(_queue(session, webhook_id, event, payload, key, now) for webhook_id in sorted(wanted))


def ping(session: Session, webhook_id: uuid.UUID, *, now: datetime) -> WebhookDelivery:
    """Send a message to one address, to see whether it arrives.

    Raises:
        NotFound: there is no such address.
    """
    get(session, webhook_id)
    key = f"ping:{_new_id()}"
    _queue(session, webhook_id, _PING, {"webhook_id": str(webhook_id)}, key, now)
    return session.scalars(
        select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.key == key)
    ).one()


def claim(session: Session, *, now: datetime, limit: int = 20) -> list[Message]:
    """Take what is due. Whoever dies with it leaves it to be sent again."""
    rows = session.execute(
        select(WebhookDelivery, Webhook)
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(
            WebhookDelivery.state.in_(("waiting", "sending")),
            WebhookDelivery.next_attempt_at <= now,
            Webhook.enabled,
        )
        .order_by(WebhookDelivery.next_attempt_at, WebhookDelivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=WebhookDelivery)
    ).all()
    taken = []
    for delivery, webhook in rows:
        delivery.state, delivery.attempts = "sending", delivery.attempts + 1
        delivery.next_attempt_at = now + timedelta(seconds=SENDING_SECONDS)
        taken.append(Message(delivery.id, webhook.url, webhook.secret, _body(delivery), delivery.attempts))
    return taken


def settle(
    session: Session,
    message: Message,
    *,
    status: int | None,
    error: str | None,
    retryable: bool,
    now: datetime,
    settings: WebhookSettings,
) -> None:
    """Write down how it went: delivered, to be tried again after a growing pause, or given up with the reason."""
    delivery = session.get(WebhookDelivery, message.id)
    if delivery is None or delivery.attempts != message.attempts:  # removed, or taken over meanwhile
        return
    delivery.status, delivery.error = status, error[:REASON_LIMIT] if error else None
    if error is None:
        delivery.state, delivery.delivered_at = "delivered", now
    elif not retryable or message.attempts >= settings.max_attempts:
        delivery.state = "failed"
    else:
        pause = min(settings.retry_cap_seconds, settings.retry_base_seconds * 2 ** (message.attempts - 1))
        delivery.state, delivery.next_attempt_at = "waiting", now + timedelta(seconds=pause)


def deliveries(session: Session, webhook_id: uuid.UUID, *, limit: int) -> list[WebhookDelivery]:
    """The newest messages to an address.

    Raises:
        NotFound: there is no such address.
    """
    get(session, webhook_id)
    query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    newest = query.order_by(WebhookDelivery.created_at.desc(), WebhookDelivery.id.desc()).limit(limit)
    return list(session.scalars(newest))


def retry(session: Session, delivery_id: uuid.UUID, *, now: datetime) -> WebhookDelivery:
    """Try once more what was given up.

    Raises:
        NotFound: there is no such delivery.
        Conflict: ``delivery_open``: it was delivered, or is still being tried.
    """
    delivery = session.get(WebhookDelivery, delivery_id, with_for_update=True)
    if delivery is None:
        raise NotFound(f"there is no delivery {delivery_id}")
    if delivery.state != "failed":
        raise Conflict(f"the delivery is {delivery.state}, only a failed one can be retried", code="delivery_open")
    delivery.state, delivery.attempts, delivery.next_attempt_at = "waiting", 0, now
    return delivery


def forget_delivered(session: Session, *, before: datetime) -> None:
    """Remove messages that arrived before this time; what failed stays."""
    session.execute(
        delete(WebhookDelivery).where(WebhookDelivery.state == "delivered", WebhookDelivery.delivered_at < before)
    )


def _queue(
    session: Session, webhook_id: uuid.UUID, event: str, payload: dict[str, Any], key: str, now: datetime
) -> bool:
    added = session.execute(
        insert(WebhookDelivery)
        .values(
            id=_new_id(),
            webhook_id=webhook_id,
            event=event,
            key=key,
            payload=orjson.loads(orjson.dumps(payload, default=str)),
            next_attempt_at=now,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(WebhookDelivery.id)
    ).first()
    return added is not None


def _body(delivery: WebhookDelivery) -> bytes:
    """The same bytes at every attempt."""
    told = {"type": delivery.event, "timestamp": delivery.created_at.isoformat(), "data": delivery.payload}
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def _new_id() -> uuid.UUID:
    return uuid.UUID(str(uuid_utils.uuid7()))
