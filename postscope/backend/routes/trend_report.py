"""The trend report as a page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from postscope.backend.auth import Role, require
from postscope.backend.routes.state import runtime_of
from postscope.backend.trends.report.content import ReportQuery, read_report
from postscope.backend.trends.report.page import policy, report_page

router = APIRouter(prefix="/v1/trends", tags=["trends"], dependencies=[Depends(require(Role.ANALYST, Role.PRODUCT))])


@router.get(
    "/report",
    summary="The trend report",
    response_class=HTMLResponse,
    responses={
        200: {
            "description": "One HTML page, without scripts, that loads nothing",
            "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>..."}},
        }
    },
)
def read_trend_report(request: Request, asked: Annotated[ReportQuery, Query()]) -> HTMLResponse:
    """What emerged, grew and faded in a window: evidence, timelines, alerts, map, posts and pictures that stand for
    each topic, sentiment, method and caveats."""
    page = report_page(read_report(runtime_of(request), asked))
    return HTMLResponse(page, headers={"Content-Security-Policy": policy(), "X-Content-Type-Options": "nosniff"})
