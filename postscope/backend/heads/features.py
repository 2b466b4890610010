"""What heads see of stored posts: vectors from the store, words and metadata from the database."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from postscope.backend.runtime import Runtime
from postscope.backend.tables import Media, MediaText, Post
from postscope.indexing.heads.features import Metadata, PostFeatures
from postscope.indexing.normalise import normalise
from postscope.indexing.stores.base import Stored
from postscope.indexing.types import Vectors

BATCH = 512


def load_features(
    runtime: Runtime, ids: Sequence[uuid.UUID], fields: Sequence[str]
) -> tuple[list[uuid.UUID], PostFeatures]:
    """The posts of these that are there and indexed, in the order of their ids, as heads see them."""
    kept: list[uuid.UUID] = []
    pieces: list[PostFeatures] = []
    ordered = sorted(set(ids))
    collection = runtime.live.collection
    for start in range(0, len(ordered), BATCH):
        some = ordered[start : start + BATCH]
        points = {point.id: point for point in runtime.store.retrieve(collection, some)}
        with runtime.database.session() as session:
            posts = list(session.scalars(select(Post).where(Post.id.in_(points)).order_by(Post.id)))
            media = session.scalars(select(Media).where(Media.post_id.in_(points)).order_by(Media.id)).all()
            words = session.execute(
                select(MediaText.post_id, MediaText.text)
                .where(MediaText.post_id.in_(points))
                .order_by(MediaText.post_id, MediaText.media_id, MediaText.kind, MediaText.number)
            ).all()
        heard: dict[uuid.UUID, list[str]] = {}
        for row in words:
            heard.setdefault(row.post_id, []).append(row.text)
        counts: dict[uuid.UUID, int] = {}
        for medium in media:
            counts[medium.post_id] = counts.get(medium.post_id, 0) + 1
        kept += [post.id for post in posts]
        pieces.append(features_of(posts, points, heard, counts, fields, runtime.live.encoder.space.dim))
    if not pieces:
        pieces = [features_of([], {}, {}, {}, fields, runtime.live.encoder.space.dim)]
    return kept, PostFeatures.joined(pieces)


def features_of(
    posts: Sequence[Post],
    points: Mapping[uuid.UUID, Stored],
    heard: Mapping[uuid.UUID, Sequence[str]],
    media: Mapping[uuid.UUID, int],
    fields: Sequence[str],
    dim: int,
) -> PostFeatures:
    """Of posts that were read already.

    Args:
        posts: in order.
        points: of each.
        heard: words spoken in or written on the media of each.
        media: how many each has.
        fields: of ``tables.Head.fields``.
        dim: of the space.
    """
    texts = [normalise(" ".join([post.text, *heard.get(post.id, ())])) for post in posts]
    return PostFeatures(
        texts,
        _dense(posts, points, "text", dim),
        _mean_media(posts, points, dim),
        _dense(posts, points, "post", dim),
        [_known(post, text, media.get(post.id, 0), fields) for post, text in zip(posts, texts, strict=True)],
        np.array([post.created_at.timestamp() for post in posts], dtype=np.float64),
        np.array([_group(post, text) for post, text in zip(posts, texts, strict=True)], dtype=np.int64),
    )


def _known(post: Post, text: str, media: int, fields: Sequence[str]) -> Metadata:
    """What is known when a post is posted; its metrics never are."""
    known: dict[str, float | str | bool | None] = {}
    if "source" in fields:
        known["source"] = post.source
    if "language" in fields:
        known["language"] = post.language
    if "time" in fields:
        known["hour"] = str(post.created_at.hour)
        known["weekday"] = str(post.created_at.weekday())
    if "length" in fields:
        known["length"] = float(len(text))
        known["hashtags"] = float(text.count("#"))
        known["links"] = float(text.count("://"))
    if "media" in fields:
        known["media"] = float(media)
    for name, value in post.attributes.items():
        wanted = "metadata.*" in fields or f"metadata.{name}" in fields
        if wanted and isinstance(value, (str, int, float, bool)):
            known[f"metadata.{name}"] = value
    return known


def _group(post: Post, text: str) -> int:
    """Posts with the same words are one group; those without words are groups of their own."""
    named = text.casefold().encode() or post.id.bytes
    return int.from_bytes(hashlib.blake2b(named, digest_size=8).digest(), "big", signed=True)


def _dense(posts: Sequence[Post], points: Mapping[uuid.UUID, Stored], name: str, dim: int) -> Vectors:
    made = np.zeros((len(posts), dim), np.float32)
    for n, post in enumerate(posts):
        vector = points[post.id].dense.get(name)
        if vector is not None:
            made[n] = vector
    return made


def _mean_media(posts: Sequence[Post], points: Mapping[uuid.UUID, Stored], dim: int) -> Vectors:
    made = np.zeros((len(posts), dim), np.float32)
    for n, post in enumerate(posts):
        rows = points[post.id].multi.get("media")
        if rows is not None and len(rows):
            mean: npt.NDArray[np.float32] = rows.mean(axis=0)
            made[n] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return made
