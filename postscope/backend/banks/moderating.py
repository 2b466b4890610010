"""One answer for moderation: what the banks say of a post, or of content that is not kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from uuid import UUID

import numpy as np
from pydantic import BaseModel, Field

from postscope.backend.auth import Caller
from postscope.backend.banks import answers, making, opinions, trained
from postscope.backend.banks.answers import ModerationOut
from postscope.backend.banks.judging import judge
from postscope.backend.banks.making import GivenMedium
from postscope.backend.banks.opinions import PictureOpinion, TagOpinion
from postscope.backend.banks.probing import Checkable, KeptSignals
from postscope.backend.banks.trained import TrainedTag
from postscope.backend.blobs import BlobError
from postscope.backend.errors import NotReady
from postscope.backend.fingerprinting.making import decode
from postscope.backend.posts import get_post
from postscope.backend.runtime import Runtime
from postscope.backend.searching.requests import QueryImage
from postscope.backend.tables import Media
from postscope.indexing.content_classifier import ClassifierMissing
from postscope.indexing.media.errors import MediaError
from postscope.indexing.normalise import normalise
from postscope.indexing.types import Vector, Vectors


class MlModeration(BaseModel):
    """The verdict of the banks, and beside it what models think; the second never changes the first."""

    banks: ModerationOut
    tags: list[TagOpinion] = Field(description="the most likely first; empty where nothing is indexed to compare")
    trained: list[TrainedTag] = Field(
        description="of a head named `moderation`, the most likely first; empty where none is live"
    )
    pictures: list[PictureOpinion] = Field(description="of classifiers that are switched on")


def of_post(runtime: Runtime, post_id: UUID, caller: Caller) -> MlModeration:
    """The kept verdict on a post, and opinions on what is indexed of it.

    Raises:
        NotFound: there is no such post.
        NotReady: the sexual-content classifier is switched on, and not installed.
    """
    with runtime.database.session() as session:
        told = answers.of_post(session, post_id, caller)
        media = get_post(session, post_id)[1]
    model = runtime.live
    stored = runtime.store.retrieve(model.collection, [post_id])
    text, rows = (stored[0].dense.get("text"), stored[0].multi.get("media")) if stored else (None, None)
    return MlModeration(
        banks=told,
        tags=opinions.tags(runtime, model, text, rows),
        trained=trained.of_post(runtime, model, post_id),
        pictures=_opinions(runtime, _pictures_of(runtime, media)),
    )


def of_content(
    runtime: Runtime, text: str | None, images: Sequence[QueryImage], others: Sequence[QueryImage], caller: Caller
) -> MlModeration:
    """The verdict on content that is not kept; a medium that cannot be had or read is said to be unchecked.

    Args:
        runtime: of this process.
        text: None for none.
        images: media; they may be of any kind.
        others: the same; their places go on after the images.
        caller: sees matches of the banks that are open to its roles.

    Raises:
        Invalid: there is no such upload.
        NotReady: the sexual-content classifier is switched on, and not installed.
    """
    model = runtime.live
    media = [_medium(runtime, place, image, f"images.{place}") for place, image in enumerate(images)]
    media += [_medium(runtime, len(images) + n, medium, f"media.{n}") for n, medium in enumerate(others)]
    content = making.checkable(runtime, model, text, media)
    known = runtime.banks.fresh(model.encoder.space.id)
    now = runtime.clock()
    judged = judge(known, content, now=now, model=model, kept=KeptSignals(runtime.database))
    words, rows = _seen(content)
    key = "\n".join([normalise(text or ""), *(str(medium) for medium in (*images, *others))])
    data = [(place, medium.data) for place, medium in enumerate(media) if medium.data is not None]
    with runtime.database.session() as session:
        told = answers.of_content(session, judged, caller, now=now)
    return MlModeration(
        banks=told,
        tags=opinions.tags(runtime, model, words, rows),
        trained=trained.of_content(runtime, model, key, text, words, rows, len(media)),
        pictures=_opinions(runtime, data),
    )


def _seen(content: Checkable) -> tuple[Vector | None, Vectors | None]:
    """The text's vector, and those of the media one below the other."""
    words = [probe.vectors[0] for probe in content.probes if probe.part == "text" and probe.vectors is not None]
    rows = [probe.vectors for probe in content.probes if probe.part == "media" and probe.vectors is not None]
    return words[0] if words else None, np.concatenate(rows) if rows else None


def _opinions(runtime: Runtime, files: Iterable[tuple[int, bytes]]) -> list[PictureOpinion]:
    if not runtime.settings.banks.sexual_classifier:
        return []
    images = []
    for place, data in files:
        with suppress(MediaError):  # the verdict says already that it could not be read
            images.append((place, decode(data, runtime.asked_stills)))
    try:
        return opinions.pictures(runtime, images)
    except ClassifierMissing as error:
        raise NotReady(str(error), code="classifier_missing") from error


def _pictures_of(runtime: Runtime, media: Sequence[Media]) -> Iterator[tuple[int, bytes]]:
    for medium in media:
        if medium.sha256 is not None and (medium.mime or "").startswith("image/"):
            with suppress(BlobError):  # as above
                yield medium.position, runtime.blobs.get(medium.sha256)


def _medium(runtime: Runtime, place: int, medium: QueryImage, field: str) -> GivenMedium:
    if medium.upload_id is not None:
        return making.given_upload(runtime, medium.upload_id, f"{field}.upload_id")
    return making.given_url(runtime, medium.url or "", place)
