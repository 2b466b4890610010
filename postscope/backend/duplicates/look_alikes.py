"""Posts with other content that means or shows the same: neighbours in the vector store that are no copies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from postscope.backend.duplicates.reading import groups_of
from postscope.backend.errors import Conflict
from postscope.backend.runtime import Runtime
from postscope.backend.searching.requests import MAX_QUERY_TEXT, QueryImage, QueryPart, SearchRequest
from postscope.backend.searching.service import search


@dataclass(frozen=True, slots=True)
class LookAlike:
    """One of them. ``why`` says which part is like which."""

    post_id: UUID
    score: float
    why: tuple[str, ...]


def like_post(
    runtime: Runtime, post_id: UUID, copies: Collection[UUID], *, limit: int, key_id: UUID
) -> list[LookAlike]:
    """Of a post that is here; none while it is not indexed."""
    try:
        return _search(runtime, [QueryPart(post_id=post_id)], copies, limit, key_id)
    except Conflict:
        return []


def like_content(
    runtime: Runtime,
    text: str | None,
    images: Sequence[QueryImage],
    copies: Collection[UUID],
    *,
    limit: int,
    key_id: UUID,
) -> list[LookAlike]:
    """Of content that is not stored."""
    parts = [QueryPart(image=image) for image in images]
    if text and text.strip():
        parts.append(QueryPart(text=text.strip()[:MAX_QUERY_TEXT]))
    return _search(runtime, parts[-10:], copies, limit, key_id) if parts else []


def _search(
    runtime: Runtime, parts: Sequence[QueryPart], copies: Collection[UUID], limit: int, key_id: UUID
) -> list[LookAlike]:
    if limit < 1:
        return []
    request = SearchRequest(
        queries=list(parts),
        mode="semantic",
        limit=min(100, limit + len(copies)),
        min_score=runtime.settings.duplicates.look_alike_score,
    )
    hits = search(runtime, request, key_id=key_id).hits
    with runtime.database.session() as session:
        groups = groups_of(session, [*copies, *(hit.id for hit in hits)])
    # Fellow members of a copy's group are copies of the same thing, whether they were compared or not.
    same = {groups[post_id] for post_id in copies if post_id in groups}
    found = [
        LookAlike(hit.id, hit.score, tuple(match.why for match in hit.matched))
        for hit in hits
        if hit.id not in copies and groups.get(hit.id) not in same
    ]
    return found[:limit]
