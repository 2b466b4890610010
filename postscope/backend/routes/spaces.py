"""The way to another vector space."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from postscope.backend import audit, runs
from postscope.backend.auth import Caller, require
from postscope.backend.errors import Invalid
from postscope.backend.problems import problem_answers
from postscope.backend.routes.runs import RunOut
from postscope.backend.routes.state import runtime_of
from postscope.backend.runtime import ALIAS, Runtime
from postscope.backend.setting_groups import EncoderSettings
from postscope.backend.space_status import space_statuses
from postscope.backend.spaces import DROP, ROLLBACK, SWITCH

router = APIRouter(prefix="/v1/space", tags=["runs"])


class SwitchIn(BaseModel):
    """To which encoder; what else the settings say of the encoder stays."""

    model_config = ConfigDict(extra="forbid")

    encoder: Annotated[str, Field(min_length=1, max_length=300, examples=["bundled-en"])]


class SpaceOut(BaseModel):
    """One space, its collection and how far it has come."""

    id: str = Field(examples=["bundled-en-49d65d07ffaa"])
    encoder: str = Field(examples=["bundled-en"])
    state: str = Field(description="building, live, previous or retired", examples=["live"])
    dim: int = Field(examples=[384])
    collection: str = Field(examples=["posts-bundled-en-49d65d07ffaa"])
    layout: int = Field(examples=[2])
    aliased: bool | None = Field(description="searches ask its collection")
    points: int | None = Field(description="null where its collection is gone", examples=[638])
    posts: int = Field(examples=[638])
    backfilled: int = Field(examples=[638])
    backfill_finished_at: datetime | None
    created_at: datetime
    switched_at: datetime | None
    audit: dict[str, Any] | None = Field(description="what was found before it was switched to")


class SpaceList(BaseModel):
    """The oldest first."""

    spaces: list[SpaceOut]


@router.post("/switch", status_code=202, summary="Switch to another encoder", responses=problem_answers(409))
def switch_space(request: Request, wanted: SwitchIn, caller: Annotated[Caller, Depends(require())]) -> RunOut:
    """Embed every post anew beside what serves, audit it, and switch at once; a long run, with progress.

    The search goes on in the old space meanwhile. Cancelling the run gives the new space up; the old one is kept for
    `postscope space rollback` after a switch. Set `POSTSCOPE_ENCODER__NAME` to the new encoder afterwards.
    """
    runtime = runtime_of(request)
    given = runtime.settings.encoder.model_dump() | {"name": wanted.encoder}
    try:
        encoder = EncoderSettings.model_validate(given)
    except ValidationError as error:
        reason = error.errors(include_input=False, include_url=False)[0]["msg"]
        raise Invalid.of("encoder", reason.removeprefix("Value error, ")) from None
    params = {"encoder": encoder.model_dump(mode="json")}
    return _started(runtime, caller, SWITCH, params, f"encoder:{wanted.encoder}")


@router.get("", dependencies=[Depends(require())], summary="Every space")
def read_spaces(request: Request) -> SpaceList:
    """Every space that was ever used, its collection and how far it has come, the oldest first."""
    runtime = runtime_of(request)
    rows = space_statuses(runtime.database, runtime.store, ALIAS)
    return SpaceList(spaces=[SpaceOut.model_validate(asdict(row)) for row in rows])


@router.post("/rollback", status_code=202, summary="Go back to the space before", responses=problem_answers(409))
def roll_back(request: Request, caller: Annotated[Caller, Depends(require())]) -> RunOut:
    """Make the previous space live again; a run. What was indexed since the switch is indexed again into it."""
    return _started(runtime_of(request), caller, ROLLBACK, {}, "space:previous")


@router.delete("/previous", status_code=202, summary="Give up the way back", responses=problem_answers(409))
def drop_previous(request: Request, caller: Annotated[Caller, Depends(require())]) -> RunOut:
    """Remove what was kept for a rollback; a run."""
    return _started(runtime_of(request), caller, DROP, {}, "space:previous")


def _started(runtime: Runtime, caller: Caller, kind: str, params: dict[str, Any], subject: str) -> RunOut:
    now = runtime.clock()
    with runtime.database.session() as session:
        run = runs.start(session, kind, params, actor=caller.name, readers=(), now=now, exclusive=SWITCH)
        evidence = {"run": str(run.id)}
        audit.record(session, actor=caller.name, action=kind, subject=subject, evidence=evidence, now=now)
        session.flush()
        session.refresh(run)
        return RunOut.of(run)
