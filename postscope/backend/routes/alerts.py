"""Early warnings: to read, and to decide on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from postscope.backend.auth import Caller, Role, require
from postscope.backend.routes.state import runtime_of
from postscope.backend.tables import Alert
from postscope.backend.trends import alerts
from postscope.backend.trends.alerts import Kind, State

router = APIRouter(prefix="/v1/alerts", tags=["trends"])

Analyst = Annotated[Caller, Depends(require(Role.ANALYST, Role.MODERATOR))]


class AlertOut(BaseModel):
    """A burst. ``marks`` says why it may not be what it seems: ``single_author``, ``near_copies``."""

    id: UUID
    kind: Kind
    state: State
    topic_id: UUID | None
    raised_at: datetime
    since: datetime = Field(serialization_alias="from", description="start of the window that was tested")
    until: datetime
    observed: int = Field(description="posts in it, near-copies and further posts of one author not counted")
    expected: float
    expected_low: int = Field(validation_alias="low", description="the least of 95 of 100 cases")
    expected_high: int = Field(validation_alias="high")
    probability: float = Field(description="of as many or more without a burst")
    posts: int
    authors: int
    marks: list[str] = Field(examples=[["near_copies"]])
    evidence: dict[str, Any] = Field(examples=[{"post_ids": ["0198f2a4-5f0e-7c55-8d0a-2f3b7a6c9e10"], "radius": 0.61}])
    decided_by: str | None
    decided_at: datetime | None
    note: str | None
    posts_url: str | None = Field(
        examples=["/v1/posts?topic_id=0198f2a4-5f0e-7c55-8d0a-2f3b7a6c9e10&from=2026-03-02T00%3A00%3A00Z"]
    )

    model_config = ConfigDict(populate_by_name=True)

    @classmethod
    def of(cls, alert: Alert) -> AlertOut:
        """As the API shows it."""
        seen = {column.key: getattr(alert, column.key) for column in Alert.__table__.columns if column.key != "key"}
        return cls.model_validate(seen | {"posts_url": alerts.posts_url(alert)})


class AlertList(BaseModel):
    """The newest first; ``next_before`` asks for those before them."""

    alerts: list[AlertOut]
    next_before: UUID | None


class Decision(BaseModel):
    """Why, for the audit log."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=1_000)] | None = Field(None, examples=["known maintenance"])


@router.get("", summary="List early warnings")
def read_alerts(
    request: Request,
    _: Analyst,
    state: State | None = None,
    kind: Kind | None = None,
    topic_id: UUID | None = None,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AlertList:
    """Bursts that were found on the stream."""
    with runtime_of(request).database.session() as session:
        found = alerts.recent(session, state=state, kind=kind, topic_id=topic_id, before=before, limit=limit)
        last = found[-1].id if len(found) == limit else None
        return AlertList(alerts=[AlertOut.of(alert) for alert in found], next_before=last)


@router.get("/{alert_id}", summary="One early warning")
def read_alert(request: Request, alert_id: UUID, _: Analyst) -> AlertOut:
    """A burst with its evidence."""
    with runtime_of(request).database.session() as session:
        return AlertOut.of(alerts.one(session, alert_id))


@router.post("/{alert_id}/acknowledge", summary="Take notice of an early warning")
def acknowledge_alert(request: Request, alert_id: UUID, caller: Analyst, decision: Decision) -> AlertOut:
    """Say that somebody has it in hand. The audit log keeps who, when and why."""
    return _decide(request, alert_id, "acknowledged", caller, decision)


@router.post("/{alert_id}/dismiss", summary="Dismiss an early warning")
def dismiss_alert(request: Request, alert_id: UUID, caller: Analyst, decision: Decision) -> AlertOut:
    """Say that it is no burst worth a warning. The audit log keeps who, when and why."""
    return _decide(request, alert_id, "dismissed", caller, decision)


def _decide(request: Request, alert_id: UUID, state: Any, caller: Caller, decision: Decision) -> AlertOut:
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        made = alerts.decide(session, alert_id, state, actor=caller.name, note=decision.note, now=runtime.clock())
        return AlertOut.of(made)
