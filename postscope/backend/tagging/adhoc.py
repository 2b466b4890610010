"""Tags for what was sent along with the question, by labels given with it or by a taxonomy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self
from uuid import UUID

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from postscope.backend.errors import Conflict, Invalid, NotFound
from postscope.backend.models import SpaceModel
from postscope.backend.parameters import Counted, wrong_fields
from postscope.backend.runtime import Runtime
from postscope.backend.searching.requests import QueryImage, QueryText
from postscope.backend.searching.resolving import open_query_image
from postscope.backend.tables import Post
from postscope.backend.tagging import taxonomies
from postscope.backend.tagging.definitions import (
    DEFAULT_THRESHOLD,
    FlatLabel,
    TaxonomyIn,
    TaxonomyName,
    default_prompts,
    flatten,
)
from postscope.backend.tagging.taggers import tagger_of
from postscope.backend.tagging.vectors import Spoken, example_vectors, make
from postscope.indexing.label_blocks import Labeller
from postscope.indexing.normalise import normalise
from postscope.indexing.types import Vector, Vectors
from postscope.indexing.zero_shot import LABEL_CURVES, LabelSpace, PostBatch

MAX_ITEMS = 100
MAX_LABELS_GIVEN = 500


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TagItem(_Model):
    """A text, an image or both together, or a post that is here."""

    text: QueryText | None = None
    image: QueryImage | None = None
    post_id: UUID | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.text is None and self.image is None and self.post_id is None:
            raise ValueError("give text, image, both, or post_id")
        if self.post_id is not None and (self.text is not None or self.image is not None):
            raise ValueError("give post_id alone")
        return self


class TagRequest(_Model):
    """What to tag, and the labels: in the call, or those of a taxonomy."""

    items: Annotated[list[TagItem], Field(min_length=1, max_length=MAX_ITEMS)]
    labels: TaxonomyIn | None = Field(None, description="a taxonomy's content, for this call alone")
    taxonomy: TaxonomyName | None = Field(None, description="the live version, or the newest")
    version: Counted | None = None
    top: Annotated[int, Field(ge=1, le=100)] = Field(10, description="labels shown of each item, given or not")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [{"text": "Goal in the last minute!"}],
                    "labels": {
                        "labels": [
                            {"name": "sport", "prompts": ["a football match", "a goal is scored"]},
                            {"name": "cooking", "prompts": ["a recipe"]},
                        ]
                    },
                }
            ]
        }
    )

    @model_validator(mode="after")
    def _one_set(self) -> Self:
        if (self.labels is None) == (self.taxonomy is None):
            raise wrong_fields(type(self).__name__, ("labels", "taxonomy"), "give either labels or taxonomy")
        if self.version is not None and self.taxonomy is None:
            raise wrong_fields(type(self).__name__, ("version",), "belongs to taxonomy, which is not given")
        return self


class LabelScore(BaseModel):
    """A label and its probability; ``given``: it reaches its threshold."""

    label: str = Field(examples=["sport"])
    score: float = Field(description="a probability", examples=[0.83])
    threshold: float = Field(examples=[0.5])
    given: bool


class ItemTags(BaseModel):
    """Labels of one item, the most probable first."""

    labels: list[LabelScore]
    none_of_these: bool = Field(description="no label is given")


class TagAnswer(BaseModel):
    """One answer an item, in their order."""

    items: list[ItemTags]


def tag(runtime: Runtime, request: TagRequest) -> TagAnswer:
    """Answer a request.

    Raises:
        Invalid: an image cannot be had or read, or labels are wrong; names the field.
        NotFound: a post, taxonomy or version is not here.
        Conflict: a post is not indexed (yet), or an example is not ready.
    """
    model = runtime.live
    posts = _posts(runtime, model, request.items)
    paths, labeller = _labels(runtime, model, request)
    scores = labeller.probabilities(posts)
    given = labeller.give(posts)
    has = np.zeros(scores.shape, bool)
    has[given.post, given.label] = True
    return TagAnswer(
        items=[_item(paths, labeller, row, marks, request.top) for row, marks in zip(scores, has, strict=True)]
    )


def _item(paths: Sequence[str], labeller: Labeller, scores: Vector, has: npt.NDArray[np.bool_], top: int) -> ItemTags:
    order = np.lexsort((np.arange(len(scores)), -scores, ~has))[:top]
    shown = [
        LabelScore(
            label=paths[n],
            score=round(float(scores[n]), 4),
            threshold=round(float(labeller.thresholds[n]), 4),
            given=bool(has[n]),
        )
        for n in order
    ]
    return ItemTags(labels=shown, none_of_these=not has.any())


def _labels(runtime: Runtime, model: SpaceModel, request: TagRequest) -> tuple[Sequence[str], Labeller]:
    if request.taxonomy is not None:
        with runtime.database.session() as session:
            version = taxonomies.get_version(session, request.taxonomy, request.version)
        tagger = tagger_of(runtime, model, version)
        return tagger.paths, tagger.labeller
    assert request.labels is not None
    flat = flatten(request.labels)
    if len(flat) > MAX_LABELS_GIVEN:
        raise Invalid.of("labels", f"has {len(flat)} labels; in a call at most {MAX_LABELS_GIVEN}: make a taxonomy")
    return [label.path for label in flat], _labeller(runtime, model, request.labels, flat)


def _labeller(runtime: Runtime, model: SpaceModel, definition: TaxonomyIn, flat: Sequence[FlatLabel]) -> Labeller:
    with runtime.gate.query():
        made = make(runtime, model, [_spoken(runtime, model, label) for label in flat], definition.background)
    thresholds = [label.definition.threshold or DEFAULT_THRESHOLD for label in flat]
    return Labeller(
        LabelSpace.of(made.labels, dict.fromkeys(made.labels, made.background), model.calibration, LABEL_CURVES),
        np.array(thresholds, np.float32),
        np.array([label.parent for label in flat], np.intp),
        exclusive=definition.exclusive,
        open=definition.open,
    )


def _spoken(runtime: Runtime, model: SpaceModel, label: FlatLabel) -> Spoken:
    given = label.definition
    sides = [
        example_vectors(
            runtime,
            model,
            label.path,
            texts=[example.text for example in side if example.text is not None],
            posts=[example.post_id for example in side if example.post_id is not None],
            uploads=[example.upload_id for example in side if example.upload_id is not None],
        )
        for side in (given.positive, given.negative)
    ]
    return Spoken(tuple(given.prompts or default_prompts(label.path, given.description)), sides[0], sides[1])


def _posts(runtime: Runtime, model: SpaceModel, items: Sequence[TagItem]) -> PostBatch:
    """As they would be stored: texts as documents."""
    images = [
        open_query_image(runtime, f"items.{n}", item.image) for n, item in enumerate(items) if item.image is not None
    ]
    words = [normalise(item.text) for item in items if item.text is not None]
    with runtime.gate.query():
        by_text = iter(model.calibration.centre_texts(model.encoder.encode_texts(words)) if words else ())
        by_image = iter(model.calibration.centre_images(model.encoder.encode_images(images)) if images else ())
    texts: list[Vector | None] = []
    media: list[Vectors | None] = []
    for n, item in enumerate(items):
        if item.post_id is not None:
            text, rows = _stored(runtime, model, f"items.{n}.post_id", item.post_id)
        else:
            text = next(by_text) if item.text is not None else None
            rows = next(by_image)[np.newaxis] if item.image is not None else None
        texts.append(text)
        media.append(rows)
    return PostBatch.of(texts, media, model.encoder.space.dim)


def _stored(runtime: Runtime, model: SpaceModel, field: str, post_id: UUID) -> tuple[Vector | None, Vectors | None]:
    found = runtime.store.retrieve(model.collection, [post_id])
    if found:
        return found[0].dense.get("text"), found[0].multi.get("media")
    with runtime.database.session() as session:
        if session.get(Post, post_id) is None:
            raise NotFound(f"{field}: there is no post {post_id}")
    raise Conflict(f"{field}: post {post_id} is not indexed (yet); see its status")
