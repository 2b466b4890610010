"""API keys: make, list, revoke. For admins."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from postscope.backend.auth import Authenticator, Role, create_key, list_keys, require, revoke_key
from postscope.backend.problems import problem_answers
from postscope.backend.routes.state import runtime_of

router = APIRouter(prefix="/v1/keys", tags=["keys"], dependencies=[Depends(require())])

_EXAMPLE: Final[JsonDict] = {
    "id": "0199b3c4-6d0e-7c3a-9f57-0d7a2c5e8b11",
    "name": "nightly import",
    "prefix": "ps_q3Vd81xA",
    "roles": ["ingest"],
    "created_at": "2026-03-02T09:30:00Z",
    "revoked_at": None,
}


class KeyIn(BaseModel):
    """What the key is called and what it may do."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "nightly import", "roles": ["ingest"]}]}
    )

    name: Annotated[str, Field(min_length=1, max_length=100)]
    roles: Annotated[list[Role], Field(min_length=1, max_length=len(Role))]


class KeyOut(BaseModel):
    """A key without its secret; ``prefix`` is how it starts."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_EXAMPLE]})

    id: UUID
    name: str
    prefix: str
    roles: list[Role]
    created_at: datetime
    revoked_at: datetime | None


class NewKey(KeyOut):
    """A key with its secret, which is never shown again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [_EXAMPLE | {"key": "ps_q3Vd81xA" + "0123456789abcdefghijklmnopqrstuvwxy"}]}
    )

    key: str


class KeyList(BaseModel):
    """Every key, revoked ones too, oldest first."""

    keys: list[KeyOut]


@router.post("", status_code=201)
def create(request: Request, wanted: KeyIn) -> NewKey:
    """Make a key. The answer holds the key itself, this once."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        key, secret = create_key(session, wanted.name, wanted.roles, now=runtime.clock())
        shown = KeyOut.model_validate(key)
    return NewKey(**shown.model_dump(), key=secret)


@router.get("")
def read_all(request: Request) -> KeyList:
    """All keys, without their secrets."""
    with runtime_of(request).database.session() as session:
        return KeyList(keys=[KeyOut.model_validate(key) for key in list_keys(session)])


@router.delete("/{key_id}", status_code=204, responses=problem_answers(404))
def revoke(request: Request, key_id: UUID) -> Response:
    """Make a key worthless: here at once, in other processes within half a minute."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        revoke_key(session, key_id, now=runtime.clock())
    cast(Authenticator, request.app.state.authenticator).forget(key_id)
    return Response(status_code=204)
