"""Pages after the first: the ranking is kept, so that no page repeats or loses a hit, whatever comes in meanwhile.

The first page ranks no deeper than it must. Whoever turns the page has the rest ranked, once, behind the hits that
were shown. A cursor names the kept ranking and where to go on in it; it works for the key that it was given to.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from postscope.backend.database import to_json
from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.searching.asked import Asked, Question
from postscope.backend.searching.candidates import DEEP, rank_posts
from postscope.backend.searching.ranking import Ranked, Ranking
from postscope.backend.searching.requests import SearchRequest
from postscope.backend.searching.resolving import filter_of
from postscope.backend.tables import SearchPage

KEPT_FOR = timedelta(minutes=15)
"""How long a cursor works after the first page; a sweep then removes what it named."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where to go on: in the kept ranking ``id``, after ``offset`` hits."""

    id: uuid.UUID
    offset: int

    def token(self) -> str:
        """For the client; the id cannot be guessed."""
        return base64.urlsafe_b64encode(self.id.bytes + self.offset.to_bytes(4, "big")).decode().rstrip("=")

    @classmethod
    def parse(cls, token: str) -> Cursor:
        """What ``token`` gave.

        Raises:
            Invalid: it is something else.
        """
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if len(data) != 20:
            raise Invalid.of("cursor", "is no cursor of this service: give next_cursor as it came")
        return cls(uuid.UUID(bytes=data[:16]), int.from_bytes(data[16:], "big"))


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A question and its ranking.

    Attributes:
        deep: the ranking reaches as far as it ever will.
    """

    question: Question
    ranking: Ranking
    deep: bool


def keep(session: Session, kept: Kept, *, key_id: uuid.UUID, now: datetime) -> uuid.UUID:
    """Keep it for the key ``key_id``."""
    page_id = uuid.uuid4()
    given = {"id": page_id, "key_id": key_id, "hits": to_json(_to_json(kept)), "expires_at": now + KEPT_FOR}
    session.execute(_KEEP, given)
    return page_id


# The answer does not wait for the disk: what a crash takes are cursors, and those say that they have expired.
_KEEP = text(
    """
    WITH unhurried AS (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO search_pages (id, key_id, hits, expires_at)
    SELECT :id, :key_id, CAST(:hits AS jsonb), :expires_at FROM unhurried
    """
)


def turn(runtime: Runtime, cursor: Cursor, *, key_id: uuid.UUID) -> Kept:
    """What was kept, with its rest ranked by now.

    Raises:
        Invalid: it has expired, belongs to another key, or the space was switched; code ``cursor_expired``.
    """
    live = runtime.live
    with runtime.database.session() as session:
        kept = _load(runtime, live, session, cursor, key_id)
    if kept.deep:
        return kept
    # Ranked without a lock on the page in hand; whoever turns it meanwhile is not kept waiting.
    shown = kept.ranking.hits[: cursor.offset]
    with runtime.database.session() as session:
        ranking = rank_posts(runtime, session, kept.question, DEEP, shown=shown)
    deeper = Kept(kept.question, ranking, deep=True)
    with runtime.database.session() as session:
        kept = _load(runtime, live, session, cursor, key_id, lock=True)
        if kept.deep:  # somebody turned the same page meanwhile: both must be given the same rest
            return kept
        session.execute(update(SearchPage).where(SearchPage.id == cursor.id).values(hits=_to_json(deeper)))
    return deeper


def _load(
    runtime: Runtime, live: SpaceModel, session: Session, cursor: Cursor, key_id: uuid.UUID, *, lock: bool = False
) -> Kept:
    page = session.get(SearchPage, cursor.id, with_for_update=lock)
    if page is None or page.key_id != key_id or page.expires_at <= runtime.clock():
        raise _expired()
    if page.hits["collection"] != live.collection:
        raise _expired()
    return _from_json(runtime, live, page.hits)


def _expired() -> Invalid:
    reason = "has expired, or was given to another key: search again from the first page"
    return Invalid(f"cursor: {reason}", problems=[FieldProblem("cursor", reason)], code="cursor_expired")


def _to_json(kept: Kept) -> dict[str, Any]:
    question, ranking = kept.question, kept.ranking
    return {
        "request": question.request.model_dump(mode="json", by_alias=True),
        "positive": [asked.to_json() for asked in question.positive],
        "negative": [asked.to_json() for asked in question.negative],
        "min_score": question.min_score,
        "collection": question.collection,
        "hits": [hit.to_json() for hit in ranking.hits],
        "complete": ranking.complete,
        "deep": kept.deep,
    }


def _from_json(runtime: Runtime, live: SpaceModel, data: dict[str, Any]) -> Kept:
    request = SearchRequest.model_validate(data["request"])
    question = Question(
        request,
        tuple(Asked.from_json(asked) for asked in data["positive"]),
        tuple(Asked.from_json(asked) for asked in data["negative"]),
        filter_of(runtime, request),
        data["min_score"],
        data["collection"],
        live.calibration,
    )
    ranking = Ranking(tuple(Ranked.from_json(hit) for hit in data["hits"]), data["complete"], None)
    return Kept(question, ranking, data["deep"])
