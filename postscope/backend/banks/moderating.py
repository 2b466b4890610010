"""One answer for moderation: what the banks say of a post, or of content that is not kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from uuid import UUID

import numpy as np
from pydantic import BaseModel, Field

from postscope.backend.auth import Caller
from postscope.backend.banks import answers, making, opinions, seeing, trained
from postscope.backend.banks.answers import ModerationOut
from postscope.backend.banks.judging import judge
from postscope.backend.banks.making import GivenMedium
from postscope.backend.banks.opinions import TagOpinion
from postscope.backend.banks.probing import Checkable, KeptSignals
from postscope.backend.banks.seeing import PictureOpinion, PictureUnseen
from postscope.backend.banks.trained import TrainedTag
from postscope.backend.posts import get_post
from postscope.backend.runtime import Runtime
from postscope.backend.searching.requests import QueryImage
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
    pictures_could_not_check: list[PictureUnseen] = Field(
        description="media that a classifier which is switched on could say nothing of, a video among them"
    )


def of_post(runtime: Runtime, post_id: UUID, caller: Caller) -> MlModeration:
    """The kept verdict on a post, and opinions on what is indexed of it.

    Raises:
        NotFound: there is no such post.
    """
    with runtime.database.session() as session:
        told = answers.of_post(session, post_id, caller)
        media = get_post(session, post_id)[1]
    model = runtime.live
    stored = runtime.store.retrieve(model.collection, [post_id])
    text, rows = (stored[0].dense.get("text"), stored[0].multi.get("media")) if stored else (None, None)
    seen, unseen = seeing.of_kept(runtime, media)
    return MlModeration(
        banks=told,
        tags=opinions.tags(runtime, model, text, rows),
        trained=trained.of_post(runtime, model, post_id),
        pictures=seen,
        pictures_could_not_check=unseen,
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
    seen, unseen = seeing.look(runtime, _files(media), _problems(media))
    with runtime.database.session() as session:
        told = answers.of_content(session, judged, caller, now=now)
    return MlModeration(
        banks=told,
        tags=opinions.tags(runtime, model, words, rows),
        trained=trained.of_content(runtime, model, key, text, words, rows, len(media)),
        pictures=seen,
        pictures_could_not_check=unseen,
    )


def _seen(content: Checkable) -> tuple[Vector | None, Vectors | None]:
    """The text's vector, and those of the media one below the other."""
    words = [probe.vectors[0] for probe in content.probes if probe.part == "text" and probe.vectors is not None]
    rows = [probe.vectors for probe in content.probes if probe.part == "media" and probe.vectors is not None]
    return words[0] if words else None, np.concatenate(rows) if rows else None


def _files(media: Sequence[GivenMedium]) -> Iterator[tuple[int, seeing.Reader]]:
    for place, medium in enumerate(media):
        if (data := medium.data) is not None:
            yield place, partial(bytes, data)


def _problems(media: Sequence[GivenMedium]) -> list[PictureUnseen]:
    """Of media whose file could not be had."""
    given = [(place, medium.problem) for place, medium in enumerate(media) if medium.data is None]
    return [PictureUnseen(place=place, code=told.code, reason=told.reason) for place, told in given if told is not None]


def _medium(runtime: Runtime, place: int, medium: QueryImage, field: str) -> GivenMedium:
    if medium.upload_id is not None:
        return making.given_upload(runtime, medium.upload_id, f"{field}.upload_id")
    return making.given_url(runtime, medium.url or "", place)
