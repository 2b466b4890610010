"""Predictions for content that is sent along with the question, and for posts that are here."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Annotated, Self
from uuid import UUID

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import select

from postscope.backend.errors import Conflict
from postscope.backend.heads import registry
from postscope.backend.heads.features import features_of, load_features
from postscope.backend.heads.serving import InUse, choose, in_use, say
from postscope.backend.heads.unkept import unkept_point, unkept_post
from postscope.backend.runtime import Runtime
from postscope.backend.searching.filters import Scalar, Time
from postscope.backend.searching.requests import QueryImage, QueryText
from postscope.backend.searching.resolving import open_query_image
from postscope.backend.tables import Head, HeadVersion, Post
from postscope.indexing.heads.features import Floats, PostFeatures
from postscope.indexing.normalise import normalise

MAX_ITEMS = 100


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PredictItem(_Model):
    """A post that is here, or what one would hold. What is left out counts as not known."""

    post_id: UUID | None = None
    text: QueryText | None = None
    image: QueryImage | None = None
    source: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    language: Annotated[str, StringConstraints(min_length=2, max_length=35)] | None = None
    created_at: Time | None = None
    metadata: dict[str, Scalar] = {}

    @model_validator(mode="after")
    def _something(self) -> Self:
        given = self.text is not None or self.image is not None
        if self.post_id is None and not given:
            raise ValueError("give post_id, text or image")
        if self.post_id is not None and (given or self.metadata or self.source or self.language or self.created_at):
            raise ValueError("give post_id alone")
        return self


class PredictRequest(_Model):
    """What to look at."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{"text": "What a lovely morning at the harbour"}]}]}
    )

    items: Annotated[list[PredictItem], Field(min_length=1, max_length=MAX_ITEMS)]


class Said(BaseModel):
    """What a head says of one item.

    Of tags and classes there are probabilities; of a number its value and the interval that 8 of 10 such numbers lie
    in.
    """

    version: int = Field(description="of the head, which said it", examples=[3])
    label: str | None = Field(None, description="of classes, the most probable", examples=["positive"])
    labels: list[str] = Field([], description="of tags, those that reach their thresholds")
    probabilities: dict[str, float] = Field({}, examples=[{"negative": 0.05, "neutral": 0.2, "positive": 0.75}])
    value: float | None = None
    low: float | None = None
    high: float | None = None


def predict(runtime: Runtime, name: str, items: Sequence[PredictItem]) -> list[Said] | None:
    """Ask the versions in use; None where the head has no live version.

    Raises:
        Invalid: an image cannot be had or read; names the field.
        Conflict: ``not_indexed``: a post is not here or not indexed.
    """
    versions = in_use(runtime, name)
    if not any(version.state == "live" for version in versions):
        return None
    ids, posts = features_for(runtime, items, versions[0].fields)
    return answer(runtime, versions, ids, posts)


def silent(runtime: Runtime, name: str, otherwise: str) -> Conflict:
    """Why a head has no answer: its live version reads another space, or there is none and ``otherwise`` holds."""
    with runtime.database.session() as session:
        query = select(HeadVersion.number).join(Head).where(Head.name == name, HeadVersion.state == "live")
        number = session.scalar(query)
    if number is None:
        return Conflict(otherwise, code="not_trained")
    reason = f"version {number} of the head {name!r} reads vectors of a space that is not live: it is trained again"
    return Conflict(reason, code="not_trained")


def answer(runtime: Runtime, versions: Sequence[InUse], ids: Sequence[uuid.UUID], posts: PostFeatures) -> list[Said]:
    """What is shown of each post by the versions in use of one head, of which one is live; counted as served.

    Args:
        runtime: of this process.
        versions: of one head.
        ids: of the posts, in order; they say who sees a shadow.
        posts: as the head sees them.
    """
    said: dict[int, Said] = {}
    served: dict[UUID, int] = {}
    chosen = [choose(versions, post_id) for post_id in ids]
    for version in versions:
        places = np.array([n for n, one in enumerate(chosen) if one is not None and one.id == version.id], np.int64)
        if len(places):
            said |= dict(zip(places.tolist(), _say(runtime, version, posts.take(places)), strict=True))
            served[version.id] = len(places)
    with runtime.database.session() as session:
        for version_id, count in sorted(served.items()):
            registry.count_served(session, version_id, count)
    return [said[n] for n in range(len(ids))]


def answers_of(
    task: str, labels: Sequence[str], thresholds: Sequence[float], values: Floats, number: int
) -> list[Said]:
    """Rows of ``TrainedHead.predict`` as they are shown."""
    if task == "number":
        return [Said(version=number, value=_round(a), low=_round(b), high=_round(c)) for a, b, c in values.tolist()]
    answers = []
    for row in values.tolist():
        probabilities = {label: _round(value) for label, value in zip(labels, row, strict=True)}
        if task == "classes":
            answers.append(Said(version=number, label=labels[int(np.argmax(row))], probabilities=probabilities))
        else:
            given = [label for label, p, t in zip(labels, row, thresholds, strict=True) if p >= t]
            answers.append(Said(version=number, labels=given, probabilities=probabilities))
    return answers


def _say(runtime: Runtime, version: InUse, posts: PostFeatures) -> list[Said]:
    head, values = say(runtime, version, posts)
    return answers_of(head.task, head.labels, head.thresholds, values, version.number)


def features_for(
    runtime: Runtime, items: Sequence[PredictItem], fields: Sequence[str]
) -> tuple[list[uuid.UUID], PostFeatures]:
    """Ids and features in the order of the items; content that is not stored gets an id of its own, by what it is.

    Raises:
        Invalid: an image cannot be had or read; names the field.
        Conflict: ``not_indexed``: a post is not here or not indexed.
    """
    stored = [item.post_id for item in items if item.post_id is not None]
    known, posts = load_features(runtime, stored, fields)
    places = {post_id: n for n, post_id in enumerate(known)}
    for n, item in enumerate(items):
        if item.post_id is not None and item.post_id not in places:
            raise Conflict(f"items.{n}: the post {item.post_id} is not here, or not indexed yet", code="not_indexed")
    fresh = [(n, item) for n, item in enumerate(items) if item.post_id is None]
    made, loose = _encoded(runtime, fresh, fields)
    joined = PostFeatures.joined([posts, loose])
    order, ids = [], []
    ahead = 0
    for item in items:
        if item.post_id is not None:
            order.append(places[item.post_id])
            ids.append(item.post_id)
        else:
            order.append(len(known) + ahead)
            ids.append(made[ahead].id)
            ahead += 1
    return ids, joined.take(np.array(order, dtype=np.int64))


def _encoded(
    runtime: Runtime, items: Sequence[tuple[int, PredictItem]], fields: Sequence[str]
) -> tuple[list[Post], PostFeatures]:
    model = runtime.live
    seen = [n for n, (_, item) in enumerate(items) if item.image is not None]
    images = [open_query_image(runtime, f"items.{n}", item.image) for n, item in items if item.image is not None]
    texts = [normalise(item.text or "") for _, item in items]
    wanted = [n for n, text in enumerate(texts) if text]
    with runtime.gate.query():
        by_text = model.calibration.centre_texts(model.encoder.encode_texts([texts[n] for n in wanted]))
        by_image = model.calibration.centre_images(model.encoder.encode_images(images)) if images else ()
    vectors = dict(zip(wanted, by_text, strict=True))
    looks = {n: row[np.newaxis] for n, row in zip(seen, by_image, strict=True)}
    posts, points = [], {}
    for n, (_, item) in enumerate(items):
        rows = looks.get(n)
        post = unkept_post(
            f"{texts[n]}\n{item.image}",
            texts[n],
            item.created_at or runtime.clock(),
            source=item.source or "",
            language=item.language,
            attributes=item.metadata,
        )
        points[post.id] = unkept_point(model, post.id, vectors.get(n), rows)
        posts.append(post)
    counts = {post.id: int(n in looks) for n, post in enumerate(posts)}
    return posts, features_of(posts, points, {}, counts, fields, model.encoder.space.dim)


def _round(value: float) -> float:
    return round(value, 4)
