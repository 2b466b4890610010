"""What a head named ``moderation`` says, once people have trained one: opinions as the other tags, never a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel, Field

from postscope.backend.banks.opinions import TAXONOMY as HEAD
from postscope.backend.heads.features import features_of, load_features
from postscope.backend.heads.predicting import Said, answer
from postscope.backend.heads.serving import InUse, in_use
from postscope.backend.heads.unkept import unkept_point, unkept_post
from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.indexing.heads.features import PostFeatures
from postscope.indexing.normalise import normalise
from postscope.indexing.types import Vector, Vectors


class TrainedTag(BaseModel):
    """How likely content has a label of a trained head. ``given``: of tags, it reaches the label's threshold; of
    classes, it is the most probable."""

    tag: str = Field(examples=["spam"])
    score: float = Field(description="a probability", examples=[0.93])
    given: bool = Field(examples=[True])
    head: str = Field(examples=["moderation"])
    version: int = Field(description="of the head, which said it", examples=[3])


def of_post(runtime: Runtime, model: SpaceModel, post_id: UUID) -> list[TrainedTag]:
    """Of what is indexed of a post, the most likely first; none where no such head is live."""
    versions = _versions(runtime, model)
    if not versions:
        return []
    return _tags(runtime, versions, *load_features(runtime, [post_id], versions[0].fields))


def of_content(
    runtime: Runtime,
    model: SpaceModel,
    key: str,
    text: str | None,
    words: Vector | None,
    looks: Vectors | None,
    media: int,
) -> list[TrainedTag]:
    """Of content that is not kept; as above. What else the head may know of a post counts as not known.

    Args:
        runtime: of this process.
        model: whose vectors these are.
        key: says what the content is; who sees a shadow is drawn by it.
        text: as it was given.
        words: shape (dim,), the text, centred.
        looks: shape (n, dim), pictures and frames, centred.
        media: how many media came along.
    """
    versions = _versions(runtime, model)
    if not versions:
        return []
    post = unkept_post(key, normalise(text or ""), runtime.clock())
    points = {post.id: unkept_point(model, post.id, words, looks)}
    posts = features_of([post], points, {}, {post.id: media}, versions[0].fields, model.encoder.space.dim)
    return _tags(runtime, versions, [post.id], posts)


def _versions(runtime: Runtime, model: SpaceModel) -> list[InUse]:
    """Those in use, if one of them is live: a shadow alone is not shown."""
    versions = in_use(runtime, HEAD, space=model.encoder.space.id)
    return versions if any(version.state == "live" for version in versions) else []


def _tags(runtime: Runtime, versions: Sequence[InUse], ids: Sequence[UUID], posts: PostFeatures) -> list[TrainedTag]:
    if not posts.fused.any():  # nothing was seen of it: from metadata alone no content is judged
        return []
    [said] = answer(runtime, versions, ids, posts)
    return sorted(_told(said), key=lambda tag: (-tag.score, tag.tag))


def _told(said: Said) -> list[TrainedTag]:
    """A head that learned a number has no labels, and nothing to say here."""
    given = {*said.labels, said.label}
    return [
        TrainedTag(tag=label, score=score, given=label in given, head=HEAD, version=said.version)
        for label, score in said.probabilities.items()
    ]
