"""The words of posts: what is said in their media, what is written in their pictures, and all of them together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, func, select, text
from sqlalchemy.orm import Session

from postscope.backend.tables import Media, MediaText


@dataclass(frozen=True, slots=True)
class MediaWords:
    """Of one post: a line a stretch of speech, and the lines in its pictures, in the order of its media."""

    spoken: str
    written: str


NO_WORDS: Final = MediaWords("", "")

Texts: TypeAlias = tuple[str, ...]
"""What a post's author wrote, and where there is such, what is said in its media and written in its pictures."""


def words_of(session: Session, post_ids: Sequence[UUID]) -> dict[UUID, MediaWords]:
    """Of the posts that have some, in one query."""
    if not post_ids:
        return {}
    rows = session.execute(
        select(MediaText.post_id, MediaText.kind, MediaText.text)
        .join(Media, Media.id == MediaText.media_id)
        .where(MediaText.post_id == func.any(bindparam("ids", list(post_ids), ARRAY(Uuid))))
        .order_by(MediaText.post_id, Media.position, MediaText.number)
    )
    found: dict[UUID, dict[str, list[str]]] = defaultdict(lambda: {"speech": [], "picture": []})
    for post_id, kind, words in rows:
        found[post_id][kind].append(words)
    return {
        post_id: MediaWords("\n".join(lines["speech"]), "\n".join(lines["picture"])) for post_id, lines in found.items()
    }


def texts_of(session: Session, post_ids: Iterable[UUID]) -> dict[UUID, Texts]:
    """All texts of the posts that are there, in one query."""
    wanted = list(set(post_ids))
    if not wanted:
        return {}
    ids = ",".join([id.hex for id in wanted])  # as PostgreSQL writes an array: the driver takes longer over a list
    rows = session.execute(_TEXTS, {"ids": f"{{{ids}}}"})
    return {id: (own,) if spoken is None else (own, spoken, written) for id, own, spoken, written in rows}


# Asked for by every search, with up to some thousand ids: one statement, and no objects made of its rows.
_TEXTS: Final = text(
    """
    SELECT p.id, p.text, w.spoken, w.written FROM posts p LEFT JOIN (
        SELECT t.post_id,
            coalesce(string_agg(t.text, E'\n' ORDER BY m.position, t.number) FILTER (WHERE t.kind = 'speech'), '')
                AS spoken,
            coalesce(string_agg(t.text, E'\n' ORDER BY m.position, t.number) FILTER (WHERE t.kind = 'picture'), '')
                AS written
        FROM media_texts t JOIN media m ON m.id = t.media_id
        WHERE t.post_id = ANY(CAST(:ids AS uuid[])) GROUP BY t.post_id
    ) w ON w.post_id = p.id
    WHERE p.id = ANY(CAST(:ids AS uuid[]))
    """
)
