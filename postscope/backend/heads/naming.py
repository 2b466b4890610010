"""What the labels of a head are called, as vectors: by the prompts of its taxonomy, or by their names."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

import numpy as np
from sqlalchemy import ColumnElement, FromClause, Uuid, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from postscope.backend.heads.features import BATCH
from postscope.backend.models import SpaceModel
from postscope.backend.post_sample import sample_posts
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Head, LabelSet, Taxonomy
from postscope.backend.tagging import taxonomies
from postscope.backend.tagging.definitions import default_prompts
from postscope.backend.tagging.vectors import SLICE, encode_prompts
from postscope.indexing.heads.named import LabelNames, unit
from postscope.indexing.normalise import normalise
from postscope.indexing.types import Vectors

MOST_LABELS: Final = 500
"""With more, encoding their names takes longer than all the rest of the training."""
SEEN: Final = 4_000
"""Stored posts that show where names are meant to be."""


def label_names(
    runtime: Runtime, head: Head, labels: Sequence[str], ids: Sequence[uuid.UUID], seed: int
) -> LabelNames | None:
    """The names of labels, encoded, and led towards stored posts; None where they would not help, and for a number.

    Args:
        runtime: of this process.
        head: whose labels they are; where they are those of a taxonomy, its prompts speak for them.
        labels: in the order of the columns.
        ids: of the posts that the head learns from.
        seed: of the stored posts that are drawn.
    """
    if head.task == "number" or not 2 <= len(labels) <= MOST_LABELS or not LabelNames.of_use(len(labels), len(ids)):
        return None
    explained = _explained(runtime, head)
    bare = np.array([label not in explained for label in labels])
    prompts = [explained.get(label) or [*default_prompts(_spoken(label), "")] for label in labels]
    places = np.repeat(np.arange(len(labels)), [len(words) for words in prompts])
    words = [normalise(prompt) for of_label in prompts for prompt in of_label]
    model = runtime.live
    names = LabelNames(
        [normalise(_spoken(label)) for label in labels],
        _means(_as_texts(runtime, model, words), places, len(labels)),
        _means(encode_prompts(runtime, model, words), places, len(labels)),
    )
    return names.met_by(_unjudged_texts(runtime, model, ids, seed), bare) if bare.any() else names


def _explained(runtime: Runtime, head: Head) -> dict[str, list[str]]:
    """What speaks for labels of a taxonomy that have more than a name."""
    with runtime.database.session() as session:
        name = session.scalar(
            select(Taxonomy.name).join(LabelSet, LabelSet.taxonomy_id == Taxonomy.id).where(LabelSet.id == head.set_id)
        )
        if name is None:
            return {}
        defined = taxonomies.labels_of(session, taxonomies.get_version(session, name).id)
    return {
        label.path: label.prompts or [*default_prompts(label.path, label.description)]
        for label in defined
        if label.prompts or label.description
    }


def _spoken(label: str) -> str:
    """``customer_service`` is a name for machines."""
    return label.replace("_", " ").replace("/", " ").strip() or label


def _as_texts(runtime: Runtime, model: SpaceModel, words: Sequence[str]) -> Vectors:
    parts = []
    for start in range(0, len(words), SLICE):
        runtime.gate.pause_for_queries()
        parts.append(model.calibration.centre_texts(model.encoder.encode_texts(words[start : start + SLICE])))
    return np.concatenate(parts)


def _unjudged_texts(runtime: Runtime, model: SpaceModel, judged: Sequence[uuid.UUID], seed: int) -> Vectors:
    """Of stored posts that the head does not learn from: it will be judged by those that it does."""

    def left_out(posts: FromClause) -> ColumnElement[bool]:
        return posts.c.id == any_(literal(list(judged), ARRAY(Uuid)))

    with runtime.database.session() as session:
        drawn = sample_posts(session, SEEN, seed, left_out)
    found = [np.zeros((0, model.encoder.space.dim), np.float32)]
    for start in range(0, len(drawn), BATCH):
        runtime.gate.pause_for_queries()
        points = runtime.store.retrieve(model.collection, drawn[start : start + BATCH])
        found += [point.dense["text"][np.newaxis] for point in points if "text" in point.dense]
    return np.concatenate(found)


def _means(vectors: Vectors, places: np.ndarray, count: int) -> Vectors:
    sums = np.zeros((count, vectors.shape[1]), np.float32)
    np.add.at(sums, places, vectors)
    return unit(sums)
