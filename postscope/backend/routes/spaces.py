"""The way to another vector space."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from postscope.backend import audit, runs
from postscope.backend.auth import Caller, require
from postscope.backend.errors import Invalid
from postscope.backend.problems import problem_answers
from postscope.backend.routes.runs import RunOut
from postscope.backend.routes.state import runtime_of
from postscope.backend.setting_groups import EncoderSettings
from postscope.backend.spaces import SWITCH

router = APIRouter(prefix="/v1/space", tags=["runs"])


class SwitchIn(BaseModel):
    """To which encoder; what else the settings say of the encoder stays."""

    model_config = ConfigDict(extra="forbid")

    encoder: Annotated[str, Field(min_length=1, max_length=300, examples=["bundled-en"])]


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
    now = runtime.clock()
    with runtime.database.session() as session:
        params = {"encoder": encoder.model_dump(mode="json")}
        run = runs.start(session, SWITCH, params, actor=caller.name, readers=(), now=now, exclusive=SWITCH)
        audit.record(
            session,
            actor=caller.name,
            action=SWITCH,
            subject=f"encoder:{wanted.encoder}",
            evidence={"run": str(run.id)},
            now=now,
        )
        session.flush()
        session.refresh(run)
        return RunOut.of(run)
