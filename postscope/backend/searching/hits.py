"""Ranked ids to hits: the posts as they are now, and why each of them matched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, func, select
from sqlalchemy.orm import Session

from postscope.backend.duplicates.reading import sizes_of
from postscope.backend.runtime import Runtime
from postscope.backend.searching.answers import DuplicatesAnswer, HitAnswer, MediaAnswer, PostAnswer
from postscope.backend.searching.asked import Question
from postscope.backend.searching.evidence import Details, Loaded, Witness, load_details
from postscope.backend.searching.ranking import Ranked
from postscope.backend.tables import Media, Post
from postscope.indexing.types import Vector, Vectors

# Asked by every search: one statement, however many ids, and put together once.
_POSTS: Final = (
    select(Post, Media)
    .outerjoin(Media, Media.post_id == Post.id)
    .where(Post.id == func.any(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(Media.position)
)


def load_posts(session: Session, ids: Sequence[UUID]) -> dict[UUID, Loaded]:
    """Those that are (still) there, in one query."""
    posts: dict[UUID, Post] = {}
    media: dict[UUID, list[Media]] = defaultdict(list)
    for post, medium in session.execute(_POSTS, {"ids": list(ids)}):
        posts[post.id] = post
        if medium is not None:
            media[post.id].append(medium)
    return {id: Loaded(post, tuple(media[id])) for id, post in posts.items()}


def explain(runtime: Runtime, question: Question, found: Sequence[tuple[Ranked, Loaded]]) -> list[HitAnswer]:
    """The hits of one page."""
    by_image = [hit.id for hit, _ in found if any(item.part == "media" for item in hit.evidence)]
    stored = runtime.store.retrieve(question.collection, by_image) if by_image else []
    images = {point.id: point.multi["media"] for point in stored if "media" in point.multi}
    details: dict[UUID, Details] = {}
    copies = {}
    if question.request.collapse or any(loaded.media for _, loaded in found):  # of a page of texts nothing is asked
        with runtime.database.statements() as session:
            details = load_details(session, [loaded for _, loaded in found])
            copies = sizes_of(session, [hit.id for hit, _ in found]) if question.request.collapse else {}
    witness = Witness(runtime, partial(_encode, runtime))
    hits = [
        _hit(witness, question, hit, loaded, details.get(hit.id, Details()), images.get(hit.id))
        for hit, loaded in found
    ]
    return [
        hit.model_copy(update={"duplicates": DuplicatesAnswer(group_id=copies[hit.id][0], size=copies[hit.id][1])})
        if hit.id in copies
        else hit
        for hit in hits
    ]


def _encode(runtime: Runtime, texts: Sequence[str]) -> Mapping[str, Vector]:
    with runtime.gate.query():
        return runtime.live.pipeline.encode_texts(texts)


def _hit(
    witness: Witness, question: Question, hit: Ranked, loaded: Loaded, details: Details, images: Vectors | None
) -> HitAnswer:
    matched = [
        match
        for item in hit.evidence
        for match in witness.matches(question.positive[item.asked], item, loaded, details, images)
    ]
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
            MediaAnswer(id=m.id, url=m.url, kind=m.kind, mime=m.mime, width=m.width, height=m.height, state=m.state)
            for m in loaded.media
        ],
    )
