"""How good predictions are. F0.5 counts precision more than recall: a wrong tag costs more than a missed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from postscope.indexing.heads.estimators import Task
from postscope.indexing.heads.features import Floats

BETA = 0.5
MIN_POSITIVES = 10
"""A label with fewer positive examples keeps the default threshold: a fitted one would be chance."""
DEFAULT_THRESHOLD = 0.5
LEAST_THRESHOLD = 1e-6

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LabelMeasure:
    """Of one label: shares in [0, 1], and how many posts have it."""

    label: str
    precision: float
    recall: float
    f_half: float
    support: int


def f_beta(true_positives: Floats, predicted: Floats, actual: Floats, beta: float) -> Floats:
    """Elementwise F-beta from counts (van Rijsbergen 1979); 0 where there is nothing to count."""
    weight = beta * beta
    denominator = weight * actual + predicted
    return np.divide((1 + weight) * true_positives, denominator, out=np.zeros_like(denominator), where=denominator > 0)


def label_measures(predicted: Bools, actual: Bools, labels: Sequence[str]) -> list[LabelMeasure]:
    """Of each label. ``predicted`` and ``actual``: shape (n, k)."""
    hits = (predicted & actual).sum(axis=0).astype(np.float64)
    said, there = predicted.sum(axis=0).astype(np.float64), actual.sum(axis=0).astype(np.float64)
    precision = np.divide(hits, said, out=np.zeros_like(hits), where=said > 0)
    recall = np.divide(hits, there, out=np.zeros_like(hits), where=there > 0)
    halves = f_beta(hits, said, there, BETA)
    return [
        LabelMeasure(label, float(precision[n]), float(recall[n]), float(halves[n]), int(there[n]))
        for n, label in enumerate(labels)
    ]


def decided(task: Task, predictions: Floats, targets: Floats, thresholds: Floats) -> tuple[Bools, Bools]:
    """Which labels posts are given, and which they have, each of shape (n, k); of tags and classes."""
    if task == "tags":
        return predictions >= thresholds, targets.astype(bool)
    each = np.eye(predictions.shape[1], dtype=bool)
    return each[predictions.argmax(axis=1)], each[targets.astype(np.int64)]


def measure(
    task: Task, predictions: Floats, targets: Floats, labels: Sequence[str], thresholds: Floats
) -> dict[str, Any]:
    """All measures of a task; ``objective`` is the one that is maximised.

    Args:
        task: what was predicted.
        predictions: as ``TrainedHead.predict`` gives them.
        targets: as ``fit_part`` takes them.
        labels: names of the columns.
        thresholds: of tags, shape (k,).
    """
    if task == "number":
        return _number(predictions, targets)
    predicted, actual = decided(task, predictions, targets, thresholds)
    found = label_measures(predicted, actual, labels)
    supports = np.array([item.support for item in found], dtype=np.float64)
    weighted = float(np.average([item.f_half for item in found], weights=supports)) if supports.sum() else 0.0
    hits, said = (predicted & actual).sum(axis=0), predicted.sum(axis=0)
    there = [n for n, support in enumerate(supports) if support or said[n]]
    ones = f_beta(hits.astype(np.float64), said.astype(np.float64), supports, 1.0)
    macro = float(ones[there].mean()) if there else 0.0
    measures: dict[str, Any] = {
        "objective": macro if task == "classes" else weighted,
        "weighted_f0_5": weighted,
        "macro_f1": macro,
        "posts": len(targets),
        "labels": [
            {"label": i.label, "precision": i.precision, "recall": i.recall, "f0_5": i.f_half, "support": i.support}
            for i in found
        ],
    }
    if task == "classes":
        measures["accuracy"] = float((predictions.argmax(axis=1) == targets).mean()) if len(targets) else 0.0
    return measures


def best_thresholds(probabilities: Floats, actual: Bools) -> Floats:
    """For each label the threshold, shape (k,), that maximises F0.5 on these predictions; see ``MIN_POSITIVES``.

    Between two probabilities that give the same predictions the middle is taken.
    """
    return np.array([_best_threshold(probabilities[:, n], actual[:, n]) for n in range(probabilities.shape[1])])


def _best_threshold(probabilities: Floats, actual: Bools) -> float:
    if actual.sum() < MIN_POSITIVES or actual.all():
        return DEFAULT_THRESHOLD
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    hits = np.cumsum(actual[order]).astype(np.float64)
    said = np.arange(1, len(ranked) + 1, dtype=np.float64)
    halves = f_beta(hits, said, np.full_like(hits, actual.sum()), BETA)
    # A threshold can only be put where the probability changes, and what has none is never given a label.
    ends = np.append(ranked[:-1] > ranked[1:], True) & (ranked > LEAST_THRESHOLD)
    if not ends.any():
        return DEFAULT_THRESHOLD
    best = int(np.argmax(np.where(ends, halves, -1.0)))
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float(np.clip((ranked[best] + below) / 2, LEAST_THRESHOLD, 1.0))


def _number(predictions: Floats, targets: Floats) -> dict[str, Any]:
    from scipy.stats import spearmanr

    value = predictions[:, 0]
    spread = float(((targets - targets.mean()) ** 2).sum()) if len(targets) else 0.0
    explained = 1 - float(((targets - value) ** 2).sum()) / spread if spread > 0 else 0.0
    ranks = float(spearmanr(value, targets).statistic) if len(targets) > 2 and np.ptp(value) and spread else 0.0
    inside = (targets >= predictions[:, 1]) & (targets <= predictions[:, 2])
    return {
        "objective": explained,
        "r2": explained,
        "mean_absolute_error": float(np.abs(targets - value).mean()) if len(targets) else 0.0,
        "rank_correlation": ranks,
        "interval_coverage": float(inside.mean()) if len(targets) else 0.0,
        "posts": len(targets),
    }
