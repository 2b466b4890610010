"""Long runs: how far they are, and their end."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from postscope.backend import runs
from postscope.backend.auth import Caller, Role, require
from postscope.backend.routes.state import runtime_of
from postscope.backend.tables import Run

router = APIRouter(prefix="/v1/runs", tags=["runs"])

Reader = Annotated[Caller, Depends(require(Role.ANALYST, Role.MODERATOR, Role.PRODUCT))]
State = Literal["waiting", "running", "done", "failed", "cancelled"]


class RunOut(BaseModel):
    """One run. ``done`` of ``total`` units are worked off; ``total`` is null while it is not known."""

    id: UUID
    kind: str = Field(examples=["topics.discover"])
    state: State = Field(examples=["running"])
    params: dict[str, Any] = Field(examples=[{"days": 7}])
    actor: str = Field(examples=["key:nightly"])
    done: int = Field(examples=[4_200])
    total: int | None = Field(examples=[10_000])
    note: str = Field(examples=["reading vectors"])
    result: dict[str, Any] | None = Field(examples=[None])
    error_code: str | None = Field(examples=[None])
    error: str | None = Field(examples=[None])
    cancel_asked: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None = Field(examples=[None])

    @classmethod
    def of(cls, run: Run) -> RunOut:
        """As the API shows it."""
        return cls.model_validate(run, from_attributes=True)


class RunList(BaseModel):
    """The newest first."""

    runs: list[RunOut]


@router.get("", summary="List long runs")
def list_runs(
    request: Request,
    caller: Reader,
    kind: Annotated[str | None, Query(max_length=100)] = None,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RunList:
    """Discoveries, sweeps, trainings and whatever else takes long, the newest first."""
    with runtime_of(request).database.session() as session:
        found = runs.recent(session, caller, kind=kind, state=state, limit=limit)
        return RunList(runs=[RunOut.of(run) for run in found])


@router.get("/{run_id}", summary="How far a run is")
def read_run(run_id: UUID, request: Request, caller: Reader) -> RunOut:
    """State, progress and result of one run."""
    with runtime_of(request).database.session() as session:
        return RunOut.of(runs.get(session, run_id, caller))


@router.post("/{run_id}/cancel", summary="End a run")
def cancel_run(run_id: UUID, request: Request, caller: Reader) -> RunOut:
    """A waiting run ends at once, a running one as soon as it next looks."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return RunOut.of(runs.cancel(session, run_id, caller, now=runtime.clock()))
