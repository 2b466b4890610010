"""Webhooks: who is told of events, and what became of each message."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from postscope.backend import audit, webhooks
from postscope.backend.auth import Caller, require
from postscope.backend.routes.state import runtime_of

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

Admin = Annotated[Caller, Depends(require())]


class WebhookIn(BaseModel):
    """An address, and the events it wants to hear of."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=1, max_length=2_000, examples=["https://hooks.example.com/postscope"])]
    events: Annotated[list[str], Field(min_length=1, max_length=50, examples=[["alert.raised", "moderation.match"]])]


class WebhookOut(BaseModel):
    """An address as it is kept."""

    id: UUID
    url: str = Field(examples=["https://hooks.example.com/postscope"])
    events: list[str] = Field(examples=[["alert.raised", "moderation.match"]])
    enabled: bool
    created_by: str = Field(examples=["first admin"])
    created_at: datetime


class WebhookMade(WebhookOut):
    """``secret`` is shown this once: messages are signed with it (standardwebhooks.com)."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class WebhookList(BaseModel):
    """The oldest first."""

    webhooks: list[WebhookOut]


class DeliveryOut(BaseModel):
    """One message to one address; ``error`` is that of the last attempt."""

    id: UUID
    event: str = Field(examples=["alert.raised"])
    payload: dict[str, Any]
    state: Literal["waiting", "sending", "delivered", "failed"]
    attempts: int
    next_attempt_at: datetime
    status: int | None
    error: str | None
    created_at: datetime
    delivered_at: datetime | None


class DeliveryList(BaseModel):
    """The newest first."""

    deliveries: list[DeliveryOut]


@router.post("", status_code=201, summary="Ask for events")
def create_webhook(request: Request, caller: Admin, body: WebhookIn) -> WebhookMade:
    """Events of these names are sent there, signed, and tried again until they arrive or are given up."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        made = webhooks.create(
            session, runtime.messenger, body.url, body.events, actor=caller.name, now=runtime.clock()
        )
        audit.record(
            session,
            actor=caller.name,
            action="webhook.create",
            subject=f"webhook:{made.id}",
            evidence={"events": made.events},
            now=runtime.clock(),
        )
        return WebhookMade.model_validate(made, from_attributes=True)


@router.get("", summary="List webhooks")
def list_webhooks(request: Request, _: Admin) -> WebhookList:
    """All addresses, without their secrets."""
    with runtime_of(request).database.session() as session:
        found = [WebhookOut.model_validate(row, from_attributes=True) for row in webhooks.every(session)]
    return WebhookList(webhooks=found)


@router.delete("/{webhook_id}", status_code=204, summary="Send nothing there any more")
def delete_webhook(webhook_id: UUID, request: Request, caller: Admin) -> Response:
    """The address and its messages are forgotten."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        webhooks.remove(session, webhook_id)
        audit.record(
            session,
            actor=caller.name,
            action="webhook.delete",
            subject=f"webhook:{webhook_id}",
            evidence={},
            now=runtime.clock(),
        )
    return Response(status_code=204)


@router.post("/{webhook_id}/ping", status_code=202, summary="Send a message to see whether it arrives")
def ping_webhook(webhook_id: UUID, request: Request, _: Admin) -> DeliveryOut:
    """Its fate is among the deliveries."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return DeliveryOut.model_validate(webhooks.ping(session, webhook_id, now=runtime.clock()), from_attributes=True)


@router.get("/{webhook_id}/deliveries", summary="What became of the messages")
def list_deliveries(
    webhook_id: UUID, request: Request, _: Admin, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> DeliveryList:
    """The newest messages to this address: delivered, waiting for the next attempt, or given up with the reason."""
    with runtime_of(request).database.session() as session:
        rows = webhooks.deliveries(session, webhook_id, limit=limit)
        return DeliveryList(deliveries=[DeliveryOut.model_validate(row, from_attributes=True) for row in rows])


@router.post("/deliveries/{delivery_id}/retry", summary="Send again what was given up")
def retry_delivery(delivery_id: UUID, request: Request, _: Admin) -> DeliveryOut:
    """Attempts are counted anew."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return DeliveryOut.model_validate(
            webhooks.retry(session, delivery_id, now=runtime.clock()), from_attributes=True
        )
