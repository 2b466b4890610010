"""What moderators do: look at what waits for them, judge matches, and say what follows from a match."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from postscope.backend.auth import Caller, Role, require
from postscope.backend.banks import actions, hygiene, review
from postscope.backend.banks.schema import SEVERITIES, OutcomeIn, RuleIn, Severity
from postscope.backend.routes.state import runtime_of
from postscope.backend.tables import ActionRule, ReviewItem

router = APIRouter(prefix="/v1/moderation", tags=["moderation"])

Moderator = Annotated[Caller, Depends(require(Role.MODERATOR))]


class ReviewOut(BaseModel):
    """One thing to look at."""

    id: UUID
    kind: Literal["hold", "could_not_check", "quarantine"]
    state: Literal["open", "decided", "withdrawn"]
    severity: Severity
    post_id: UUID | None
    entry_id: UUID | None
    bank_id: UUID | None
    reason: str = Field(examples=["rule 'hold severe copies'"])
    detail: dict[str, Any]
    claimed_by: str | None
    claimed_until: datetime | None
    decision: Literal["confirm", "reject", "dismiss"] | None
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, item: ReviewItem) -> ReviewOut:
        """As the API shows it."""
        columns = {column.key: getattr(item, column.key) for column in ReviewItem.__table__.columns}
        return cls(**columns | {"severity": SEVERITIES[item.severity]})


class ReviewQueue(BaseModel):
    """The most severe first, then the oldest."""

    items: list[ReviewOut]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReviewDecision(_In):
    """``confirm`` and ``reject`` speak of the match that it is about; ``dismiss`` closes it without a word on that."""

    decision: Literal["confirm", "reject", "dismiss"]
    note: Annotated[str, StringConstraints(max_length=2_000)] = ""


class MatchDecision(_In):
    """Whether a match is right."""

    decision: Literal["confirmed", "rejected"]


class DecidedOut(BaseModel):
    """A match after the decision, and whether its entry is in quarantine now."""

    match_id: UUID
    entry_id: UUID
    decision: Literal["confirmed", "rejected"]
    precision: float | None = Field(description="of the entry, by all decisions so far")


class RuleOut(BaseModel):
    """One rule."""

    id: UUID
    name: str = Field(examples=["hold severe copies"])
    banks: list[UUID]
    min_severity: Severity
    tiers: list[Literal["copy", "look_alike"]]
    kinds: list[str] = Field(examples=[["pdq"]])
    min_score: float
    min_reach: float
    outcomes: list[OutcomeIn]
    enabled: bool
    created_by: str = Field(examples=["mara"])
    created_at: datetime

    @classmethod
    def of(cls, rule: ActionRule) -> RuleOut:
        """As the API shows it."""
        return cls.model_validate({column.key: getattr(rule, column.key) for column in ActionRule.__table__.columns})


class RuleList(BaseModel):
    """By name."""

    rules: list[RuleOut]


class RuleSwitch(_In):
    """Whether a rule works."""

    enabled: bool


@router.get("/queue", summary="What waits for a moderator")
def read_queue(
    request: Request,
    caller: Moderator,
    kind: Literal["hold", "could_not_check", "quarantine"] | None = None,
    state: Literal["open", "decided", "withdrawn"] = "open",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ReviewQueue:
    """Posts that a rule holds, posts that could not be checked, entries in quarantine."""
    with runtime_of(request).database.session() as session:
        found = review.queue(session, caller, kind=kind, state=state, limit=limit)
        return ReviewQueue(items=[ReviewOut.of(item) for item in found])


@router.post("/queue/{item_id}/claim", summary="Take one thing out of the queue")
def claim_review(item_id: UUID, request: Request, caller: Moderator) -> ReviewOut:
    """Nobody else can decide on it for a quarter of an hour."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return ReviewOut.of(review.claim(session, item_id, caller, now=runtime.clock()))


@router.post("/queue/{item_id}/decide", summary="Decide on one thing in the queue")
def decide_review(item_id: UUID, given: ReviewDecision, request: Request, caller: Moderator) -> ReviewOut:
    """Close it. The decision is in the audit log, and counts for the precision of the entry."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return ReviewOut.of(
            review.decide(
                session, item_id, given.decision, given.note, caller, runtime.settings.banks, now=runtime.clock()
            )
        )


@router.post("/matches/{match_id}/decision", summary="Confirm or reject a match")
def decide_match(match_id: UUID, given: MatchDecision, request: Request, caller: Moderator) -> DecidedOut:
    """Say whether a match is right; saying otherwise later replaces it."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        match = hygiene.decide(
            session, match_id, given.decision, caller, runtime.settings.banks, now=runtime.clock()
        )  # fmt: skip
        told = hygiene.of_entries(session, [match.entry_id])[match.entry_id]
        return DecidedOut(
            match_id=match.id, entry_id=match.entry_id, decision=given.decision, precision=told.precision
        )  # fmt: skip


@router.post("/rules", status_code=201, summary="Make a rule")
def create_rule(given: RuleIn, request: Request, caller: Moderator) -> RuleOut:
    """Say what follows from a match, from now on; each outcome happens once a match."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return RuleOut.of(actions.create(session, given, caller, now=runtime.clock()))


@router.get("/rules", summary="List rules")
def list_rules(request: Request, caller: Moderator) -> RuleList:  # noqa: ARG001 - the role is what is asked for
    """All rules."""
    with runtime_of(request).database.session() as session:
        return RuleList(rules=[RuleOut.of(rule) for rule in actions.every(session)])


@router.patch("/rules/{rule_id}", summary="Switch a rule on or off")
def switch_rule(rule_id: UUID, given: RuleSwitch, request: Request, caller: Moderator) -> RuleOut:
    """What it did stays."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return RuleOut.of(actions.switch(session, rule_id, given.enabled, caller, now=runtime.clock()))


@router.delete("/rules/{rule_id}", status_code=204, summary="Remove a rule")
def delete_rule(rule_id: UUID, request: Request, caller: Moderator) -> Response:
    """Remove a rule and the tags that it gave; posts that it holds stay in the queue."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        actions.remove(session, rule_id, caller, now=runtime.clock())
    return Response(status_code=204)
