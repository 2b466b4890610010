"""Fingerprints every post, and every medium of it, when it is enriched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import select

from postscope.backend.blob_files import as_file
from postscope.backend.blobs import BlobCorrupt, BlobMissing
from postscope.backend.duplicates import groups
from postscope.backend.duplicates.asking import picture_in
from postscope.backend.fingerprinting import keeping, making
from postscope.backend.fingerprinting.keeping import Failure, PostFingerprints
from postscope.backend.fingerprinting.making import Made
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Media, MediaFrame, MediaPart, Post
from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.understand import NoPrint
from postscope.workers.batches import EnrichBatch

LISTEN_SECONDS: Final = 60.0
"""For the decoding of one sound; a longer one is known by what was decoded until then."""
FRAMES_LOOKED_AT: Final = 8
"""Frames of a video that features are kept of: enough to tell a crop, and a tenth of the room of all."""


def fingerprint_posts(runtime: Runtime, batch: EnrichBatch) -> None:
    """Make and keep the fingerprints of posts that have none of their present content."""
    fingerprint(runtime, batch.posts, batch.media)


def fingerprint(
    runtime: Runtime, posts: Sequence[Post], media: Mapping[UUID, Sequence[Media]], *, again: bool = True
) -> None:
    """The same for any posts.

    Args:
        runtime: of this process.
        posts: in any state.
        media: of each that has some, in order.
        again: False leaves posts alone whose fingerprints are of another content, and so their groups.
    """
    keys = {post.id: keeping.content_key(post, media.get(post.id, ())) for post in posts}
    with runtime.database.session() as session:
        known = keeping.known(session, list(keys))
    made = [
        _of_post(runtime, post, media.get(post.id, ()), keys[post.id])
        for post in posts
        if post.id not in known or (again and known[post.id] != keys[post.id])
    ]
    changed = [post.post_id for post in made if post.post_id in known]
    with runtime.database.session() as session:
        if changed:  # what was found of them by their former content
            groups.take_turn(session)
            groups.hold(session, changed)
            groups.leave(session, changed)
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
            made += making.of_file(data, medium.id)
            if medium.kind != "audio":
                made += _of_medium(runtime, medium, data)
            if medium.kind in ("video", "audio") and medium.understood_at is not None:
                sound = _of_sound(runtime, medium)
                if isinstance(sound, Failure):
                    # A video without a sound is told by its frames.
                    failures += [sound] if medium.kind == "audio" and medium.state != "failed" else []
                else:
                    made += sound
            failures += _not_comparable(runtime, medium)
        except (BlobMissing, BlobCorrupt) as error:
            failures.append(Failure(medium.id, "file_lost", f"the stored file cannot be read: {error}"))
        except MediaError as error:
            failures.append(Failure(medium.id, error.code, error.reason))
        else:
            if medium.state == "failed":  # a video that could not be taken apart
                failures.append(Failure(medium.id, medium.error_code or "failed", medium.error or "it failed"))
    return PostFingerprints(post.id, content, tuple(made), tuple(failures))


def _not_comparable(runtime: Runtime, medium: Media) -> list[Failure]:
    """Media of which no copy but the same file would be recognised."""
    if medium.kind != "video" or medium.understood_at is None:
        return []
    with runtime.database.session() as session:
        if session.scalar(select(MediaFrame.media_id).where(MediaFrame.media_id == medium.id).limit(1)) is not None:
            return []
        part = session.get(MediaPart, (medium.id, "frames"))
    code, reason = (part.code, part.reason) if part is not None else (None, None)
    return [Failure(medium.id, code or "no_frames", reason or "the video has no frames to compare")]


def _of_medium(runtime: Runtime, medium: Media, data: bytes) -> list[Made]:
    if medium.kind == "video":
        return _of_frames(runtime, medium)
    picture = picture_in(runtime, medium.sha256 or "", lambda: data)
    return [*making.of_picture(picture, medium.id), making.of_look(picture, medium.id)]


def _of_sound(runtime: Runtime, medium: Media) -> list[Made] | Failure:
    with as_file(runtime.blobs, medium.sha256 or "") as file:
        found = runtime.understander.listen(file, seconds=LISTEN_SECONDS)
    if isinstance(found, NoPrint):
        return Failure(medium.id, found.code, found.reason)
    return making.of_sound(found, medium.id)


def _of_frames(runtime: Runtime, medium: Media) -> list[Made]:
    """Of the frames that the video was taken apart into."""
    with runtime.database.session() as session:
        frames = session.scalars(
            select(MediaFrame).where(MediaFrame.media_id == medium.id).order_by(MediaFrame.number)
        ).all()
    step = max(1, -(-len(frames) // FRAMES_LOOKED_AT))
    made: list[Made] = []
    for place, frame in enumerate(frames):
        picture = picture_in(runtime, frame.sha256, partial(runtime.blobs.get, frame.sha256))
        made += making.of_picture(picture, medium.id, frame=frame.number, seconds=frame.seconds)
        if place % step == 0:
            made.append(making.of_look(picture, medium.id, frame=frame.number, seconds=frame.seconds))
    return made
