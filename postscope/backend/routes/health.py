"""Whether the service lives, whether it can work, and its figures."""

from __future__ import annotations

from typing import Literal, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict

from postscope import __version__
from postscope.backend.auth import Role, require
from postscope.backend.health import Readiness
from postscope.backend.problems import problem_answers
from postscope.backend.routes.state import runtime_of

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok", "version": __version__}]})

    status: Literal["ok"]
    version: str


@router.head("/healthz", include_in_schema=False)  # as many who only look whether it is there ask
@router.get("/healthz")
async def healthz() -> Alive:
    """Liveness. Needs no key and looks at nothing but the process: restart it when this fails."""
    return Alive(status="ok", version=__version__)


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses=problem_answers(503))
def readyz(request: Request) -> Alive:
    """Readiness. Needs no key; 503 names each part that is down: `database_down`, `store_down`, `model_not_ready`,
    `backlog_old`.
    """
    cast(Readiness, request.app.state.readiness).verify()
    return Alive(status="ok", version=__version__)


@router.get(
    "/metrics",
    dependencies=[Depends(require(Role.ANALYST))],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    found = runtime_of(request).metrics
    return Response(found.exposition(), media_type=found.content_type)
