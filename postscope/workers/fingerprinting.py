"""Fingerprints every post, and every medium of it, when it is enriched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from postscope.backend.blobs import BlobCorrupt, BlobMissing
from postscope.backend.fingerprinting import keeping, making
from postscope.backend.fingerprinting.keeping import Failure, PostFingerprints
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Media, Post
from postscope.indexing.media.errors import MediaError

if TYPE_CHECKING:
    from postscope.workers.enrichment import EnrichBatch


def fingerprint_posts(runtime: Runtime, batch: EnrichBatch) -> None:
    """Make and keep the fingerprints of posts that have none of their present content."""
    keys = {post.id: keeping.content_key(post, batch.media.get(post.id, ())) for post in batch.posts}
    with runtime.database.session() as session:
        known = keeping.known(session, list(keys))
    made = [
        _of_post(runtime, post, batch.media.get(post.id, ()), keys[post.id])
        for post in batch.posts
        if known.get(post.id) != keys[post.id]
    ]
    with runtime.database.session() as session:
        keeping.replace(session, made)


def _of_post(runtime: Runtime, post: Post, media: Sequence[Media], content: bytes) -> PostFingerprints:
    made, failures = making.of_text(post.text), []
    for medium in media:
        if medium.sha256 is None:
            if medium.state == "failed":
                failures.append(Failure(medium.id, medium.error_code or "failed", medium.error or "it failed"))
            continue
        try:
            data = runtime.blobs.get(medium.sha256)
        except (BlobMissing, BlobCorrupt) as error:
            failures.append(Failure(medium.id, "file_lost", f"the stored file cannot be read: {error}"))
            continue
        made += making.of_file(data, medium.id)
        try:
            made += making.of_image(making.decode(data, max_pixels=runtime.settings.media.max_pixels), medium.id)
        except MediaError as error:
            failures.append(Failure(medium.id, error.code, error.reason))
    return PostFingerprints(post.id, content, tuple(made), tuple(failures))
