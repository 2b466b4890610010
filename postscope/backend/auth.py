"""API keys and roles. A key is 256 random bits; only its SHA-256 is kept, which is enough for such a secret."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, cast

import uuid_utils
from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from postscope.backend.database import Clock, Database
from postscope.backend.database_errors import UNABLE
from postscope.backend.errors import Forbidden, Invalid, NotFound, PostscopeError, Unauthenticated
from postscope.backend.limits import RateLimiter
from postscope.backend.problems import Problem, unable_database
from postscope.backend.tables import ApiKey

CACHE_SECONDS: Final = 30.0
"""How long a serving process may still believe in a key that another process revoked."""

_KEY: Final = re.compile(r"ps_[A-Za-z0-9_-]{43}")
_PREFIX_LENGTH: Final = 11  # "ps_" and 48 bits: enough to tell keys apart, 208 bits are left
_FIRST_KEY_LOCK: Final = 0x6B657973  # the bytes of "keys"
_LONGEST_NAME: Final = 100
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Role(StrEnum):
    """What a key is for. An admin may do everything."""

    ADMIN = "admin"
    PRODUCT = "product"
    MODERATOR = "moderator"
    ANALYST = "analyst"
    INGEST = "ingest"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    key_id: uuid.UUID
    name: str
    roles: frozenset[Role]

    def may(self, roles: Iterable[Role]) -> bool:
        """Whether one of these roles is the caller's, or the caller is an admin."""
        return Role.ADMIN in self.roles or not self.roles.isdisjoint(roles)


def create_key(session: Session, name: str, roles: Sequence[Role], *, now: datetime) -> tuple[ApiKey, str]:
    """Make a key.

    Returns:
        Its row, and the key itself, which cannot be had again.

    Raises:
        Invalid: the name is empty or too long, or there is no role.
    """
    name = name.strip()
    if not 1 <= len(name) <= _LONGEST_NAME or "\x00" in name:
        raise Invalid.of("name", f"must have 1 to {_LONGEST_NAME} characters")
    if not roles:
        raise Invalid.of("roles", f"must name one or more of {', '.join(Role)}")
    secret = "ps_" + secrets.token_urlsafe(32)
    key = ApiKey(
        id=uuid.UUID(str(uuid_utils.uuid7())),
        name=name,
        prefix=secret[:_PREFIX_LENGTH],
        key_hash=_hash(secret),
        roles=sorted({Role(role).value for role in roles}),
        created_at=now,
        revoked_at=None,
    )
    session.add(key)
    session.flush()
    return key, secret


def list_keys(session: Session) -> list[ApiKey]:
    """Every key, revoked ones too, oldest first."""
    return list(session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)))


def revoke_key(session: Session, key_id: uuid.UUID, *, now: datetime) -> None:
    """Make a key worthless; harmless when it is already.

    Raises:
        NotFound: there is no such key.
    """
    key = session.get(ApiKey, key_id)
    if key is None:
        raise NotFound(f"there is no key {key_id}")
    key.revoked_at = key.revoked_at or now


def ensure_first_key(session: Session, *, now: datetime) -> str | None:
    """Make an admin key if there has never been a key, of several starting processes in one only.

    Returns:
        The key, to be shown once; None when there was one before.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _FIRST_KEY_LOCK})
    if session.scalar(select(exists().select_from(ApiKey))):
        return None
    return create_key(session, "first admin", [Role.ADMIN], now=now)[1]


def authenticate(session: Session, secret: str) -> Caller:
    """Whose key this is.

    Raises:
        Unauthenticated: it is no valid key; the message does not say whether it ever was.
    """
    if _KEY.fullmatch(secret):
        key = session.scalar(select(ApiKey).where(ApiKey.key_hash == _hash(secret), ApiKey.revoked_at.is_(None)))
        if key is not None:
            return Caller(key.id, key.name, frozenset(Role(role) for role in key.roles))
    raise _unauthenticated("the API key is not valid")


class Authenticator:
    """``authenticate`` with a memory of valid keys, so that a request seldom asks the database.

    Args:
        database: where the keys are.
        clock: the time.
        seconds: how long a key is remembered.
    """

    def __init__(self, database: Database, clock: Clock, *, seconds: float = CACHE_SECONDS) -> None:
        self._database = database
        self._clock = clock
        self._lifetime = timedelta(seconds=seconds)
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[Caller, datetime]] = {}  # by hash: never more than there are keys

    def remembered(self, secret: str) -> Caller | None:
        """The caller if the key was found valid a short while ago. Asks nobody."""
        with self._lock:
            caller, until = self._known.get(_hash(secret), (None, None))
        return caller if until is not None and self._clock() < until else None

    def was_valid(self, secret: str) -> bool:
        """Whether the key was valid when it was last checked here, however long ago. Asks nobody."""
        with self._lock:
            return _hash(secret) in self._known

    def check(self, secret: str) -> Caller:
        """Ask the database.

        Raises:
            Unauthenticated: it is no valid key.
        """
        digest = _hash(secret)
        asked_at = self._clock()
        try:
            with self._database.session() as session:
                caller = authenticate(session, secret)
        except Unauthenticated:
            with self._lock:
                self._known.pop(digest, None)
            raise
        with self._lock:
            self._known[digest] = (caller, asked_at + self._lifetime)
        return caller

    def forget(self, key_id: uuid.UUID) -> None:
        """The key was revoked here: the next request with it asks the database."""
        with self._lock:
            for digest in [digest for digest, (caller, _) in self._known.items() if caller.key_id == key_id]:
                del self._known[digest]


_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="`Authorization: Bearer ps_…`")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="header", description="`X-API-Key: ps_…`")


def require(*roles: Role) -> Callable[..., Awaitable[Caller]]:
    """A dependency that lets only these roles in (an admin always) and counts the request; it gives the ``Caller``.

    ``require()`` is for admins alone, ``require(*Role)`` for every valid key.
    """

    async def admitted(
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
        header: Annotated[str | None, Security(_HEADER)],
    ) -> Caller:
        caller = cast(Caller | None, getattr(request.state, "caller", None))
        if caller is None:
            caller = await _admit(request, bearer.credentials if bearer else header)
        if not caller.may(roles):
            raise Forbidden(f"this needs a key with one of the roles {', '.join(sorted({Role.ADMIN, *roles}))}")
        return caller

    return admitted


class KeyFirst:
    """ASGI middleware: of a request that may have a body nothing is read before its key was found valid.

    The dependencies of an endpoint come after the body was read and taken apart, which may be megabytes of nobody's.
    Behind ``GET``, which has no body here, there are open endpoints; there ``require`` does the same.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] not in _BODILESS:
            request = Request(scope)
            try:
                bearer = await _BEARER(request)
                await _admit(request, bearer.credentials if bearer else await _HEADER(request))
            except PostscopeError as error:
                await Problem.of(error)(scope, receive, send)
                return
            except UNABLE as error:
                await unable_database(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _admit(request: Request, secret: str | None) -> Caller:
    caller = await _identify(request, secret)
    request.state.caller = caller
    limiter = cast(RateLimiter, request.app.state.limiter)
    request.state.allowance = await limiter.count(str(caller.key_id))
    return caller


async def _identify(request: Request, secret: str | None) -> Caller:
    authenticator = cast(Authenticator, request.app.state.authenticator)
    if secret is not None and (known := authenticator.remembered(secret)) is not None:
        return known
    limiter = cast(RateLimiter, request.app.state.limiter)
    address = request.client.host if request.client else "unknown"
    if secret is None or not authenticator.was_valid(
        secret
    ):  # others may come from the same address, as from a proxy's
        await limiter.admit_stranger(address)
    try:
        if secret is None:
            raise _unauthenticated("send an API key as 'Authorization: Bearer ps_…' or 'X-API-Key: ps_…'")
        return await run_in_threadpool(authenticator.check, secret)
    except Unauthenticated:
        await limiter.count_stranger(address)
        raise


def _unauthenticated(detail: str) -> Unauthenticated:
    return Unauthenticated(detail, headers={"WWW-Authenticate": 'Bearer realm="postscope"'})


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
