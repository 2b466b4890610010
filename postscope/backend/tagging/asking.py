"""Which posts to show to people, so that their labels teach most: uncertain ones, unlike each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, FromClause, select
from sqlalchemy.orm import Session

from postscope.backend.post_sample import PAGES, sample_posts
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Label, LabelSet
from postscope.backend.tagging import taxonomies
from postscope.backend.tagging.taggers import batch_of, tagger_of
from postscope.indexing.stores.base import Stored
from postscope.indexing.types import Vectors
from postscope.indexing.zero_shot import Floats

LOOKED_AT: Final = 1_500
"""Posts that are compared, of those that nobody has labelled: drawn by a hash of their ids and the seed."""
SHOWN_LABELS: Final = 5


@dataclass(frozen=True, slots=True)
class Guess:
    """A label and its probability."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class ToLabel:
    """A post to be labelled. ``uncertainty``: 1 where a label lies on its threshold, towards 0 far from all."""

    post_id: UUID
    uncertainty: float
    guesses: list[Guess]


def posts_to_label(runtime: Runtime, taxonomy: str, number: int | None, *, limit: int, seed: int) -> list[ToLabel]:
    """The most informative first; the same seed over the same posts, unchanged, gives the same answer.

    Raises:
        NotFound: there is no such taxonomy or version.
        Conflict: an example of it is not ready.
    """
    model = runtime.live
    with runtime.database.session() as session:
        version = taxonomies.get_version(session, taxonomy, number)
        ids = candidates(session, version.taxonomy_id, seed)
    tagger = tagger_of(runtime, model, version)
    points = [point for point in runtime.store.retrieve(model.collection, ids) if "post" in point.dense]
    if not points:
        return []
    scores = tagger.labeller.probabilities(batch_of(points, model.encoder.space.dim))
    uncertainty = _uncertainty(scores, tagger.labeller.thresholds)
    chosen = _spread(uncertainty, _fused(points), limit)
    return [
        ToLabel(
            points[n].id,
            round(float(uncertainty[n]), 4),
            [
                Guess(tagger.paths[label], round(float(scores[n, label]), 4))
                for label in np.argsort(-scores[n], kind="stable")[:SHOWN_LABELS]
            ],
        )
        for n in chosen
    ]


def candidates(session: Session, taxonomy_id: int, seed: int, *, pages: int = PAGES) -> list[UUID]:
    """Indexed posts without a label of a taxonomy, ``LOOKED_AT`` of them or all there are, in a seeded order; see
    ``post_sample``.
    """

    def judged(seen: FromClause) -> ColumnElement[bool]:
        of_taxonomy = select(Label.id).join(LabelSet, LabelSet.id == Label.set_id)
        return of_taxonomy.where(LabelSet.taxonomy_id == taxonomy_id, Label.post_id == seen.c.id).exists()

    return sample_posts(session, LOOKED_AT, seed, judged, pages=pages)


def _uncertainty(scores: Floats, thresholds: Floats) -> npt.NDArray[np.float64]:
    """Shape (n,): by the label that lies nearest to its threshold, in logits."""

    def logit(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        clipped = np.clip(values.astype(np.float64), 1e-6, 1 - 1e-6)
        return np.log(clipped) - np.log1p(-clipped)

    nearest: npt.NDArray[np.float64] = np.abs(logit(scores) - logit(thresholds)).min(axis=1)
    return np.exp(-nearest)


def _fused(points: list[Stored]) -> Vectors:
    return np.stack([point.dense["post"] for point in points])


def _spread(uncertainty: npt.NDArray[np.float64], vectors: Vectors, limit: int) -> list[int]:
    """Greedy: what is uncertain counts by how far it lies from all that was chosen before (1 minus the cosine)."""
    chosen: list[int] = []
    distance = np.ones(len(vectors))
    left = np.ones(len(vectors), bool)
    for _ in range(min(limit, len(vectors))):
        worth = np.where(left, uncertainty * (0.05 + distance), -1.0)
        best = int(worth.argmax())
        chosen.append(best)
        left[best] = False
        distance = np.minimum(distance, np.clip(1.0 - vectors @ vectors[best], 0.0, 1.0))
    return chosen
