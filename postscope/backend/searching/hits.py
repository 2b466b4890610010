"""Ranked ids to hits: the posts as they are now, and why each of them matched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from sqlalchemy import select

from postscope.backend.runtime import Runtime
from postscope.backend.searching.answers import HitAnswer, MatchAnswer, MediaAnswer, PostAnswer
from postscope.backend.searching.asked import Asked, Question
from postscope.backend.searching.ranking import Evidence, Ranked
from postscope.backend.searching.words import found_words
from postscope.backend.tables import Media, Post
from postscope.indexing.types import Vectors

_CLOSE_TEXT = {
    "text": "its text is close in meaning to the query",
    "image": "its text says what the query image shows",
    "post": "its text is close in meaning to the given post",
}
_CLOSE_IMAGE = {
    "text": "shows what the query says",
    "image": "looks like the query image",
    "post": "is like the given post",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A post with its media in order."""

    post: Post
    media: tuple[Media, ...]


def load_posts(runtime: Runtime, ids: Sequence[UUID]) -> dict[UUID, Loaded]:
    """Those that are (still) there, in two queries."""
    with runtime.database.session() as session:
        posts = session.scalars(select(Post).where(Post.id.in_(ids))).all()
        rows = session.scalars(select(Media).where(Media.post_id.in_(ids)).order_by(Media.position)).all()
    media = defaultdict(list)
    for row in rows:
        media[row.post_id].append(row)
    return {post.id: Loaded(post, tuple(media[post.id])) for post in posts}


def explain(runtime: Runtime, question: Question, found: Sequence[tuple[Ranked, Loaded]]) -> list[HitAnswer]:
    """The hits of one page."""
    by_image = [hit.id for hit, _ in found if any(item.part == "media" for item in hit.evidence)]
    stored = runtime.store.retrieve(question.collection, by_image) if by_image else []
    images = {point.id: point.multi["media"] for point in stored if "media" in point.multi}
    return [_hit(runtime, question, hit, loaded, images.get(hit.id)) for hit, loaded in found]


def _hit(runtime: Runtime, question: Question, hit: Ranked, loaded: Loaded, images: Vectors | None) -> HitAnswer:
    matched = [_match(runtime, question.positive[item.asked], item, loaded, images) for item in hit.evidence]
    groups: Mapping[str | None, str | None] = {"author": loaded.post.author_hash, "source": loaded.post.source}
    return HitAnswer(
        id=hit.id,
        score=round(hit.score, 4),
        group=groups.get(question.request.group_by),
        post=_post(loaded),
        matched=matched,
    )


def _post(loaded: Loaded) -> PostAnswer:
    post = loaded.post
    return PostAnswer(
        source=post.source,
        external_id=post.external_id,
        created_at=post.created_at,
        text=post.text,
        language=post.language,
        detected_language=post.detected_language,
        tags=post.tags,
        metrics=post.metrics,
        metadata=post.attributes,
        media=[
            MediaAnswer(id=m.id, url=m.url, mime=m.mime, width=m.width, height=m.height, state=m.state)
            for m in loaded.media
        ],
    )


def _match(runtime: Runtime, asked: Asked, item: Evidence, loaded: Loaded, images: Vectors | None) -> MatchAnswer:
    score = round(item.score, 4)
    if item.part == "keywords":
        terms = found_words(runtime.keywords, asked.words or "", loaded.post.text)
        why = f"its text has {', '.join(terms)}"
        return MatchAnswer(part="keywords", query=item.asked, score=score, terms=terms, why=why)
    if item.part == "text":
        return MatchAnswer(part="text", query=item.asked, score=score, why=_CLOSE_TEXT[asked.what])
    index = _best_image(asked, loaded, images)
    name = "an image" if index is None else f"image {index + 1}"
    return MatchAnswer(
        part="media",
        query=item.asked,
        score=score,
        media_index=index,
        media_id=None if index is None else loaded.media[index].id,
        why=f"{name} {_CLOSE_IMAGE[asked.what]}",
    )


def _best_image(asked: Asked, loaded: Loaded, images: Vectors | None) -> int | None:
    """Place among the post's media of the image nearest to what was asked; None while the post is being changed."""
    indexed = [place for place, medium in enumerate(loaded.media) if medium.state == "indexed"]
    if images is None or len(images) != len(indexed):
        return None
    cosines = [images @ probe.vector for probe in asked.probes if "media" in probe.parts]
    return indexed[int(np.argmax(np.max(cosines, axis=0)))]
