"""The runtime of the app that serves a request."""

from __future__ import annotations

from typing import cast

from fastapi import Request

from postscope.backend.runtime import Runtime


def runtime_of(request: Request) -> Runtime:
    """What ``create_app`` was given."""
    return cast(Runtime, request.app.state.runtime)
