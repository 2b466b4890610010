"""What is said in the media of posts, and what is written in their pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, func, select
from sqlalchemy.orm import Session

from postscope.backend.tables import Media, MediaText


@dataclass(frozen=True, slots=True)
class MediaWords:
    """Of one post: a line a stretch of speech, and the lines in its pictures, in the order of its media."""

    spoken: str
    written: str


NO_WORDS: Final = MediaWords("", "")


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
    for post_id, kind, text in rows:
        found[post_id][kind].append(text)
    return {
        post_id: MediaWords("\n".join(lines["speech"]), "\n".join(lines["picture"])) for post_id, lines in found.items()
    }
