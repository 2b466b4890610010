"""The index stage: encodes a batch of posts, writes the points, and only then says that they are indexed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias, cast
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from postscope.backend.blobs import BlobCorrupt, BlobMissing
from postscope.backend.media_words import NO_WORDS, MediaWords, words_of
from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Media, MediaFrame, Post
from postscope.backend.tagging.writing import FIELD, labels_in_payload
from postscope.backend.topics import telling
from postscope.backend.work import Claim, Stage
from postscope.indexing.keywords import hashtags, tag_key
from postscope.indexing.media.errors import CorruptMedia
from postscope.indexing.media.parts import MediaKind
from postscope.indexing.pipeline import Content, Indexed, MediumPart, Picture
from postscope.indexing.types import Payload, PayloadValue
from postscope.workers.outcome import Outcome

Frames: TypeAlias = Mapping[UUID, Sequence[str]]
"""Names of the blobs with a video's frames, by the video's id."""


def index(runtime: Runtime, claims: Sequence[Claim], *, between: Callable[[], object] | None = None) -> list[Outcome]:
    """Index the claimed posts in every space that is written to; ``between`` as in ``Pipeline.index``."""
    ids = [held.post_id for held in claims]
    with runtime.database.session() as session:
        posts, media = load(session, ids)
        targets = runtime.write_models(session)
    tell_languages(runtime, posts)
    kept = [post for post in posts if _same_vectors(post)]
    fresh = [post for post in posts if not _same_vectors(post)] if len(targets) == 1 else posts
    if len(targets) == 1 and kept:
        fresh += _update_payloads(runtime, targets[0], kept, media)
    with runtime.database.session() as session:
        vectors_unknown(session, [post.id for post in fresh if post.indexed_content is not None])
    for model in targets:
        results = write(runtime, model, fresh, media, between=between)
        _note_media(runtime, results, media)
    there = {post.id for post in posts}
    with runtime.database.session() as session:
        _note_posts(session, posts, now=runtime.clock())
        # A space that was begun or brought back while we worked has not got these: index them again.
        again = {model.collection for model in runtime.write_models(session)} != {model.collection for model in targets}
        if again:
            vectors_unknown(session, ids)
        gone = _deleted(session, there | set(ids))
    for model in targets if gone else ():
        runtime.store.delete(model.collection, gone)
    follow = (Stage.INDEX,) if again else (Stage.ENRICH,)
    return [Outcome(held, follow=follow if held.post_id in there else ()) for held in claims]


def load(session: Session, ids: Sequence[UUID]) -> tuple[list[Post], dict[UUID, list[Media]]]:
    """The posts that are still there, with their media in order."""
    posts = list(session.scalars(select(Post).where(Post.id.in_(ids)).order_by(Post.id)))
    media: dict[UUID, list[Media]] = defaultdict(list)
    for medium in session.scalars(select(Media).where(Media.post_id.in_(ids)).order_by(Media.post_id, Media.position)):
        media[medium.post_id].append(medium)
    return posts, media


def tell_languages(runtime: Runtime, posts: Sequence[Post]) -> None:
    """Note on each post in which language its text is."""
    for post in posts:
        found = runtime.languages.detect(post.text)
        post.detected_language, post.language_confidence = found.code, found.confidence


def write(
    runtime: Runtime,
    model: SpaceModel,
    posts: Sequence[Post],
    media: dict[UUID, list[Media]],
    *,
    between: Callable[[], object] | None = None,
) -> list[Indexed]:
    """Encode these posts in one space and upsert their points, which are on disk when this returns."""
    frames = _frames(runtime, (medium for post in posts for medium in media.get(post.id, [])))
    with runtime.database.session() as session:
        words = words_of(session, [post.id for post in posts if media.get(post.id)])
        # What was said of a post stays until the enrich stage says it anew.
        labels = labels_in_payload(session, [post.id for post in posts])
        topics = telling.topic_places(session, [post.id for post in posts])
    contents = [
        _content(
            runtime,
            post,
            media.get(post.id, []),
            frames,
            words=words.get(post.id, NO_WORDS),
            said={FIELD: labels[post.id], telling.FIELD: telling.payload_topics(topics.get(post.id, (None, None)))},
        )
        for post in posts
    ]
    results = model.pipeline.index(contents, between=between)
    runtime.store.upsert(model.collection, [result.point for result in results])
    with runtime.database.session() as session:
        telling.note_told(session, topics)
    return results


def payload_of(post: Post, media_kinds: Iterable[str] = ()) -> Payload:
    """What filters and facets see of a post; a field that it does not have is absent."""
    tags: list[PayloadValue] = [*sorted({*map(tag_key, post.tags), *hashtags(post.text)})]
    payload: Payload = {
        "source": post.source,
        "created": int(post.created_at.timestamp()),
        "version": post.version,
        "tags": tags,
        "metrics": {name: float(value) for name, value in post.metrics.items()},
        "metadata": post.attributes,
    }
    if post.author_hash:
        payload["author"] = post.author_hash
    if language := post.language or post.detected_language:
        payload["language"] = language
    kinds = sorted(set(media_kinds))
    if kinds:
        payload["media"] = list(kinds)
    return payload


def indexable(medium: Media) -> bool:
    """Whether the store can have something of it: a still picture at once, others when they were taken apart."""
    if medium.sha256 is None or medium.state == "failed":
        return False
    return medium.kind == "image" or medium.understood_at is not None


def _content(
    runtime: Runtime,
    post: Post,
    media: Sequence[Media],
    frames: Frames,
    *,
    words: MediaWords,
    said: Payload,
) -> Content:
    parts = tuple(_part(runtime, medium, frames.get(medium.id, ())) for medium in media if indexable(medium))
    payload = payload_of(post) | said
    return Content(post.id, post.text, parts, payload, words.spoken, words.written)


def _part(runtime: Runtime, medium: Media, frames: Sequence[str]) -> MediumPart:
    names = [medium.sha256 or ""] if medium.kind == "image" else frames
    return MediumPart(
        medium.position,
        cast(MediaKind, medium.kind),
        tuple(Picture(sha256, partial(_read, runtime, sha256)) for sha256 in names),
    )


def _read(runtime: Runtime, sha256: str) -> bytes:
    try:
        return runtime.blobs.get(sha256)
    except (BlobMissing, BlobCorrupt) as error:
        raise CorruptMedia(f"the stored file cannot be read: {error}") from error


def _frames(runtime: Runtime, media: Iterable[Media]) -> Frames:
    """The blobs of the frames of each video, in the order of time."""
    videos = [medium.id for medium in media if medium.kind == "video" and indexable(medium)]
    found: dict[UUID, list[str]] = defaultdict(list)
    if videos:
        with runtime.database.session() as session:
            rows = session.execute(
                select(MediaFrame.media_id, MediaFrame.sha256)
                .where(MediaFrame.media_id.in_(videos))
                .order_by(MediaFrame.media_id, MediaFrame.number)
            )
            for media_id, sha256 in rows:
                found[media_id].append(sha256)
    return found


def _same_vectors(post: Post) -> bool:
    return post.indexed_content is not None and post.indexed_content == post.content_hash


def _update_payloads(
    runtime: Runtime, model: SpaceModel, posts: Sequence[Post], media: dict[UUID, list[Media]]
) -> list[Post]:
    """Nothing to encode again where only metrics or metadata changed. Returns what must be encoded after all:
    posts with media that have become ready since, and posts whose point is not there."""
    settled = [post for post in posts if all(_settled(m) for m in media.get(post.id, []))]
    there = {
        stored.id
        for stored in runtime.store.retrieve(model.collection, [post.id for post in settled], with_vectors=False)
    }
    kept = [post for post in settled if post.id in there]
    # Fields that the post has no more must go, so they are written as null.
    absent: Payload = {"author": None, "language": None}
    payloads = {
        post.id: absent | payload_of(post, (m.kind or "image" for m in media.get(post.id, []) if m.state == "indexed"))
        for post in kept
    }
    runtime.store.set_payload(model.collection, payloads)
    done = {post.id for post in kept}
    return [post for post in posts if post.id not in done]


def _settled(medium: Media) -> bool:
    """Nothing of it is still to join what the store has."""
    if medium.state == "failed":
        return True
    return medium.joined_at == medium.understood_at and (medium.state == "indexed" or not indexable(medium))


def _note_media(runtime: Runtime, results: Sequence[Indexed], media: dict[UUID, list[Media]]) -> None:
    rows: list[dict[str, Any]] = []
    for result in results:
        failed = {failure.position: failure for failure in result.failures}
        for medium in media.get(result.point.id, []):
            if not indexable(medium):
                continue
            failure = failed.get(medium.position)
            rows.append(
                {
                    "id": medium.id,
                    "understood": medium.understood_at,
                    "state": "failed" if failure else "indexed",
                    "code": failure.code if failure else None,
                    "reason": failure.reason if failure else None,
                }
            )
    if rows:
        with runtime.database.session() as session:
            # What was understood meanwhile has not joined, and says itself what became of it.
            session.execute(
                text(
                    "UPDATE media SET state = :state, error_code = :code, error = :reason, joined_at = understood_at "
                    "WHERE id = :id AND understood_at IS NOT DISTINCT FROM CAST(:understood AS timestamptz)"
                ),
                rows,
            )


def _note_posts(session: Session, posts: Sequence[Post], *, now: datetime) -> None:
    """Only for the version that was read: a post that changed meanwhile has newer work waiting."""
    if not posts:
        return
    session.execute(
        text(
            "UPDATE posts SET indexed_version = seen.version, indexed_at = :now, indexed_content = content_hash, "
            "detected_language = seen.language, language_confidence = seen.confidence "
            "FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS int[]), CAST(:languages AS text[]), "
            "CAST(:confidences AS float[])) AS seen(id, version, language, confidence) "
            "WHERE posts.id = seen.id AND posts.version = seen.version"
        ),
        {
            "ids": [post.id for post in posts],
            "versions": [post.version for post in posts],
            "languages": [post.detected_language for post in posts],
            "confidences": [post.language_confidence for post in posts],
            "now": now,
        },
    )


def vectors_unknown(session: Session, ids: Sequence[UUID]) -> None:
    """Until the next indexing nothing is known of what the points of these posts were made from.

    Said before new vectors are written, and when a worker wrote too late: a content that comes back to what it was
    must then be encoded again, not taken for what is in the store.
    """
    if ids:
        session.execute(update(Post).where(Post.id.in_(ids)).values(indexed_content=None))


def _deleted(session: Session, ids: set[UUID]) -> list[UUID]:
    """Of these the posts that were deleted while they were being indexed: they must not come back as points."""
    return sorted(ids - set(session.scalars(select(Post.id).where(Post.id.in_(ids)))))
