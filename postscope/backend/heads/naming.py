"""What the labels of a head are called, as vectors: by the prompts of its taxonomy, or by their names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import select

from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Head, LabelSet, Taxonomy
from postscope.backend.tagging import taxonomies
from postscope.backend.tagging.definitions import default_prompts
from postscope.backend.tagging.vectors import SLICE, encode_prompts
from postscope.indexing.heads.named import LabelNames
from postscope.indexing.normalise import normalise
from postscope.indexing.types import Vectors

MOST_LABELS = 500
"""With more, encoding their names takes longer than all the rest of the training."""


def label_names(runtime: Runtime, head: Head, labels: Sequence[str], posts: int) -> LabelNames | None:
    """The names of labels, encoded; None where they would not help, and for a number.

    Args:
        runtime: of this process.
        head: whose labels they are; where they are those of a taxonomy, its prompts speak for them.
        labels: in the order of the columns.
        posts: that the head learns from.
    """
    if head.task == "number" or not 2 <= len(labels) <= MOST_LABELS or not LabelNames.of_use(len(labels), posts):
        return None
    prompts = _prompts(runtime, head, labels)
    places = np.repeat(np.arange(len(labels)), [len(words) for words in prompts])
    words = [normalise(prompt) for of_label in prompts for prompt in of_label]
    model = runtime.live
    return LabelNames(
        [normalise(_spoken(label)) for label in labels],
        _means(_as_texts(runtime, model, words), places, len(labels)),
        _means(encode_prompts(runtime, model, words), places, len(labels)),
    )


def _prompts(runtime: Runtime, head: Head, labels: Sequence[str]) -> list[list[str]]:
    with runtime.database.session() as session:
        name = session.scalar(
            select(Taxonomy.name).join(LabelSet, LabelSet.taxonomy_id == Taxonomy.id).where(LabelSet.id == head.set_id)
        )
        defined = []
        if name is not None:
            defined = taxonomies.labels_of(session, taxonomies.get_version(session, name).id)
    known = {label.path: label.prompts or [*default_prompts(label.path, label.description)] for label in defined}
    return [known.get(label) or [*default_prompts(_spoken(label), "")] for label in labels]


def _spoken(label: str) -> str:
    """``customer_service`` is a name for machines."""
    return label.replace("_", " ").replace("/", " ").strip() or label


def _as_texts(runtime: Runtime, model: SpaceModel, words: Sequence[str]) -> Vectors:
    parts = []
    for start in range(0, len(words), SLICE):
        runtime.gate.pause_for_queries()
        parts.append(model.calibration.centre_texts(model.encoder.encode_texts(words[start : start + SLICE])))
    return np.concatenate(parts)


def _means(vectors: Vectors, places: np.ndarray, count: int) -> Vectors:
    sums = np.zeros((count, vectors.shape[1]), np.float32)
    np.add.at(sums, places, vectors)
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12), np.float32)
