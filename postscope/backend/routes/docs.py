"""The documentation of the API, for whoever has a key, or for everybody where the settings say so."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse

from postscope.backend.auth import Role, require


def docs_router(*, open_to_all: bool) -> APIRouter:
    """``/openapi.json`` and ``/docs``. A browser sends no key: for ``/docs`` the documentation has to be open."""
    admitted: list[Any] = [] if open_to_all else [Depends(require(*Role))]
    router = APIRouter(include_in_schema=False, dependencies=admitted)

    @router.get("/openapi.json")
    async def openapi(request: Request) -> JSONResponse:
        return JSONResponse(request.app.openapi())

    @router.get("/docs")
    async def docs(request: Request) -> HTMLResponse:
        root = str(request.scope.get("root_path", "")).rstrip("/")
        return get_swagger_ui_html(openapi_url=f"{root}/openapi.json", title=request.app.title)

    return router
