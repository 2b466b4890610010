"""Versions that are ready to be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
from sqlalchemy import select

from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Taxonomy, TaxonomyLabel, TaxonomyVersion
from postscope.backend.tagging import taxonomies
from postscope.backend.tagging.definitions import DEFAULT_THRESHOLD
from postscope.backend.tagging.vectors import Progress, directions_of
from postscope.indexing.calibration import Logistic, Part
from postscope.indexing.label_blocks import Given, Labeller, capped
from postscope.indexing.stores.base import Stored
from postscope.indexing.zero_shot import LABEL_CURVES, LabelSpace, PostBatch, Temper

MOST_TAGS: Final = 50
"""Labels that a post may have of one taxonomy, its parents included; the most probable ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Tagger:
    """One version in one space.

    Attributes:
        version_id: of the version.
        taxonomy: the name of its taxonomy.
        number: of the version.
        paths: of the labels, in their order.
        label_ids: shape (labels,), of their rows.
        labeller: gives the labels.
    """

    version_id: int
    taxonomy: str
    number: int
    paths: tuple[str, ...]
    label_ids: npt.NDArray[np.int64]
    labeller: Labeller

    def give(self, posts: PostBatch) -> tuple[Given, int]:
        """The labels of posts, at most ``MOST_TAGS`` each; and how many posts had more."""
        return capped(self.labeller.give(posts), MOST_TAGS)


def tagger_of(
    runtime: Runtime, model: SpaceModel, version: TaxonomyVersion, progress: Progress | None = None
) -> Tagger:
    """The tagger of a version in a space; encodes its prompts if nobody has before.

    Raises:
        NotFound: it was deleted.
        Conflict: ``example_not_ready``: an example cannot be read, or its post is not indexed (yet).
    """
    revision = orjson.dumps(version.calibration, option=orjson.OPT_SORT_KEYS)
    key = (version.id, model.encoder.space.id, revision)
    kept: Tagger | None = runtime.taggers.get(key)
    if kept is not None:
        return kept
    directions = directions_of(runtime, model, version.id, progress)
    with runtime.database.session() as session:
        name = session.scalars(select(Taxonomy.name).where(Taxonomy.id == version.taxonomy_id)).one()
        labels = taxonomies.labels_of(session, version.id)
    paths = tuple(label.path for label in labels)
    background = dict.fromkeys(directions.labels, directions.background)
    made = Tagger(
        version.id,
        name,
        version.number,
        paths,
        np.array([label.id for label in labels], np.int64),
        Labeller(
            LabelSpace.of(
                directions.labels,
                background,
                model.calibration,
                curves_of(version.calibration, model.encoder.space.id),
            ),
            np.array([threshold_of(label, version, model.encoder.space.id) for label in labels], np.float32),
            np.array(taxonomies.parents_of(paths), np.intp),
            exclusive=version.exclusive,
            open=version.open,
            temper=temper_of(version.calibration, model.encoder.space.id),
        ),
    )
    runtime.taggers.put(key, made)
    return made


def threshold_of(label: TaxonomyLabel, version: TaxonomyVersion, space: str) -> float:
    """As it stands; one that was fitted in another space says nothing here, and is the default until it is fitted."""
    foreign = version.calibration is not None and version.calibration.get("space") != space
    return DEFAULT_THRESHOLD if foreign and label.threshold_from == "fitted" else label.threshold


def temper_of(calibration: dict[str, Any] | None, space: str) -> Temper:
    """Fitted in this space; in another one nothing is known."""
    if calibration is None or calibration.get("space") != space:
        return Temper()
    return Temper(calibration["scale"], calibration["shift"])


def curves_of(calibration: dict[str, Any] | None, space: str) -> Mapping[Part, Logistic]:
    """What the logits are made by. A calibration stands on the curves it was fitted on; one that does not say which
    comes from when labels had those of searches."""
    if calibration is None or calibration.get("space") != space:
        return LABEL_CURVES
    return {part: (slope, offset) for part, (slope, offset) in calibration.get("curves", {}).items()}


def active(runtime: Runtime) -> list[TaxonomyVersion]:
    """The versions whose labels new posts get."""
    with runtime.database.session() as session:
        query = select(TaxonomyVersion).where(TaxonomyVersion.state.in_(("live", "applying")))
        return list(session.scalars(query.order_by(TaxonomyVersion.id)))


def batch_of(points: Sequence[Stored], dim: int) -> PostBatch:
    """The parts of stored posts."""
    return PostBatch.of(
        [point.dense.get("text") for point in points], [point.multi.get("media") for point in points], dim
    )
