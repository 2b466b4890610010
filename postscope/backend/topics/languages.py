"""What languages do to vectors, as a discovery saw it, for posts that come in until the next one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from postscope.backend.tables import Post, TopicLanguage
from postscope.backend.topics.gathering import texts_of
from postscope.indexing.clustering.languages import without
from postscope.indexing.types import Vector, Vectors


def keep(session: Session, space: str, names: Sequence[str], apart: Vectors, *, run_id: uuid.UUID) -> None:
    """In place of what was kept before: the offsets (languages, dim) of the languages with these names."""
    session.execute(delete(TopicLanguage))
    rows = [
        {"space": space, "language": name, "offset": offset.astype(np.float32).tobytes(), "run_id": run_id}
        for name, offset in zip(names, apart, strict=True)
        if offset.any()
    ]
    if rows:
        session.execute(insert(TopicLanguage), rows)


def neutral(
    session: Session, space: str, posts: Sequence[Post], vectors: Mapping[uuid.UUID, Vector]
) -> Mapping[uuid.UUID, Vector]:
    """The vectors less what the language of each post does, as discoveries take it off; others as they are.

    Args:
        session: to read with.
        space: of the vectors.
        posts: whose vectors they are.
        vectors: unit length, of those of the posts that have one.
    """
    spoken = {post.language or post.detected_language for post in posts if post.id in vectors}
    rows = session.execute(
        select(TopicLanguage.language, TopicLanguage.offset)
        .where(TopicLanguage.space == space, TopicLanguage.language.in_(spoken - {None}))
        .order_by(TopicLanguage.language)
    ).all()
    if not rows:
        return vectors
    number = {row.language: n for n, row in enumerate(rows)}
    apart = np.stack([np.frombuffer(row.offset, np.float32) for row in rows])
    ids = list(vectors)
    lines = texts_of(session, ids)
    codes = np.array([number.get(lines[one].spoken or "", -1) if one in lines else -1 for one in ids], np.int32)
    return dict(zip(ids, without(np.stack([vectors[one] for one in ids]), codes, apart), strict=True))
