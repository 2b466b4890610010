"""The audit log, to read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from postscope.backend import audit
from postscope.backend.auth import require
from postscope.backend.routes.state import runtime_of
from postscope.backend.tables import AuditEntry
from postscope.backend.wrong_values import LARGEST_LONG

router = APIRouter(prefix="/v1/audit", tags=["audit"], dependencies=[Depends(require())])


class AuditOut(BaseModel):
    """One decision. Hashes are hexadecimal."""

    number: int
    at: datetime
    actor: str = Field(examples=["key:desk"])
    action: str = Field(examples=["topic.rename"])
    subject: str = Field(examples=["topic:12"])
    evidence: dict[str, Any] = Field(examples=[{"from": "gulls", "to": "Harbour birds"}])
    previous_hash: str = Field(examples=["5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"])
    hash: str = Field(examples=["6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"])

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditOut:
        """As the API shows it."""
        return cls(
            number=entry.number,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            evidence=entry.evidence,
            previous_hash=entry.previous_hash.hex(),
            hash=entry.hash.hex(),
        )


class AuditPage(BaseModel):
    """The newest first; ``next_before`` asks for what came before these."""

    entries: list[AuditOut]
    next_before: int | None


class AuditCheck(BaseModel):
    """Whether the chain holds. Write ``head`` down elsewhere: it proves later that nothing was cut off."""

    entries: int
    head: str = Field(examples=["6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"])
    intact: bool = Field(examples=[True])
    broken_at: int | None = Field(examples=[None])
    reason: str | None = Field(examples=[None])


@router.get("", summary="Read the audit log")
def read_audit(
    request: Request,
    subject: Annotated[str | None, Query(max_length=300)] = None,
    action: Annotated[str | None, Query(max_length=100)] = None,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_LONG)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> AuditPage:
    """Who or what decided what, on which evidence, when."""
    with runtime_of(request).database.session() as session:
        found = audit.entries(session, subject=subject, action=action, before=before, limit=limit)
        last = found[-1].number if len(found) == limit and found[-1].number > 1 else None
        return AuditPage(entries=[AuditOut.of(entry) for entry in found], next_before=last)


@router.get("/verify", summary="Check the chain of the audit log")
def verify_audit(request: Request, head: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None) -> AuditCheck:
    """Every entry's hash is computed again. ``head`` is a hash that was written down earlier."""
    with runtime_of(request).database.session() as session:
        found = audit.verify(session, head=bytes.fromhex(head) if head else None)
    return AuditCheck(
        entries=found.entries,
        head=found.head.hex(),
        intact=found.broken_at is None,
        broken_at=found.broken_at,
        reason=found.reason,
    )
