"""The models in use. For admins."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from postscope.backend.auth import require
from postscope.backend.inventory import ModelFile, models_in_use
from postscope.backend.routes.state import runtime_of

router = APIRouter(prefix="/v1/models", tags=["models"], dependencies=[Depends(require())])


class ModelsAnswer(BaseModel):
    """Every file of every model in use."""

    models: list[ModelFile]


@router.get("")
def read_models(request: Request) -> ModelsAnswer:
    """Every model in use, with its version, licence, source and size, and its SHA-256 as it is on disk now."""
    return ModelsAnswer(models=models_in_use(runtime_of(request).settings))
