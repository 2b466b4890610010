"""One answer for moderation: what the banks say of a post, or of content that is not kept."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel

from postscope.backend.auth import Caller
from postscope.backend.banks import answers, making
from postscope.backend.banks.answers import ModerationOut
from postscope.backend.banks.judging import judge, relevance_in
from postscope.backend.banks.making import GivenMedium
from postscope.backend.banks.probing import looks_of
from postscope.backend.runtime import Runtime
from postscope.backend.searching.requests import QueryImage


class MlModeration(BaseModel):
    """The verdict of the banks."""

    banks: ModerationOut


def of_post(runtime: Runtime, post_id: UUID, caller: Caller) -> MlModeration:
    """The kept verdict on a post.

    Raises:
        NotFound: there is no such post.
    """
    with runtime.database.session() as session:
        return MlModeration(banks=answers.of_post(session, post_id, caller))


def of_content(runtime: Runtime, text: str | None, images: Sequence[QueryImage], caller: Caller) -> MlModeration:
    """The verdict on content that is not kept; an image that cannot be had or read is said to be unchecked.

    Raises:
        Invalid: there is no such upload.
    """
    model = runtime.live
    media = [_medium(runtime, place, image) for place, image in enumerate(images)]
    with runtime.gate.query():
        content = making.checkable(runtime, model, text, media)
    known = runtime.banks.fresh(model.encoder.space.id)
    now = runtime.clock()
    judged = judge(known, content, now=now, relevance=relevance_in(model), looks=looks_of(runtime.database))
    with runtime.database.session() as session:
        return MlModeration(banks=answers.of_content(session, judged, caller, now=now))


def _medium(runtime: Runtime, place: int, image: QueryImage) -> GivenMedium:
    if image.upload_id is not None:
        return making.given_upload(runtime, image.upload_id, f"images.{place}.upload_id")
    return making.given_url(runtime, image.url or "", place)
