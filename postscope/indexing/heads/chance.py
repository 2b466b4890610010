"""What chance makes of a difference between two recipes: the same posts, drawn again and again."""

from __future__ import annotations

import numpy as np

from postscope.indexing.heads.estimators import Task
from postscope.indexing.heads.features import Floats, Indices
from postscope.indexing.heads.measures import BETA, decided, f_beta

DRAWS = 200


def standard_error(
    task: Task,
    one: Floats,
    other: Floats,
    targets: Floats,
    thresholds: tuple[Floats, Floats],
    groups: Indices,
    seed: int,
) -> float:
    """Of the difference between the objectives of two sets of predictions of n posts (bootstrap, Efron 1979).

    Copies are drawn together. Paired: what is hard for both is no difference.

    Args:
        task: what was predicted.
        one: as ``TrainedHead.predict`` gives them.
        other: the same.
        targets: as ``fit_part`` takes them.
        thresholds: of tags, of the one and of the other.
        groups: shape (n,).
        seed: of the drawing.
    """
    _, place = np.unique(groups, return_inverse=True)
    size = int(place.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=DRAWS)
    weights = drawn[:, place].astype(np.float64)
    of_one, of_other = (
        _objectives(task, predictions, targets, cut, weights)
        for predictions, cut in zip((one, other), thresholds, strict=True)
    )
    return float(np.std(of_one - of_other))


def _objectives(task: Task, predictions: Floats, targets: Floats, thresholds: Floats, weights: Floats) -> Floats:
    """Shape (draws,): what ``measures.measure`` calls the objective, with posts counted as often as they were drawn."""
    if task == "number":
        total = weights.sum(axis=1)
        mean = weights @ targets / total
        spread = weights @ targets**2 - total * mean**2
        missed = weights @ (targets - predictions[:, 0]) ** 2
        return np.asarray(1 - np.divide(missed, spread, out=np.ones_like(spread), where=spread > 0))
    predicted, actual = decided(task, predictions, targets, thresholds)
    hits, said, there = (weights @ marks.astype(np.float64) for marks in (predicted & actual, predicted, actual))
    if task == "classes":
        seen = (said + there) > 0
        return np.asarray((f_beta(hits, said, there, 1.0) * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1))
    return np.asarray((f_beta(hits, said, there, BETA) * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1))
