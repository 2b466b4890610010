"""Probabilities that mean what they say, fitted on predictions of models that had not seen the posts."""

from __future__ import annotations

import numpy as np

from postscope.indexing.heads.estimators import Task
from postscope.indexing.heads.features import Floats
from postscope.indexing.heads.head import Calibration

INTERVAL = 0.8
"""Share of posts whose number lies within the interval."""
MIN_PAIRS = 30
"""Fewer predictions, or fewer of one answer, say nothing about probabilities."""
MIN_OF_EACH = 5


def fit_calibration(raw: Floats, targets: Floats, task: Task) -> Calibration:
    """Fit on held-out scores.

    Args:
        raw: as ``raw_scores`` gives them, shape (n, k).
        targets: as ``fit_part`` takes them.
        task: what was predicted.
    """
    if task == "number":
        return _interval(raw[:, 0], targets)
    if len(raw) < MIN_PAIRS:
        return Calibration()
    if task == "classes":
        return Calibration(slopes=(_temperature(raw, targets.astype(np.int64)),))
    lines = [_platt(raw[:, n], targets[:, n]) for n in range(raw.shape[1])]
    return Calibration(tuple(slope for slope, _ in lines), tuple(offset for _, offset in lines))


def _interval(predicted: Floats, targets: Floats) -> Calibration:
    """Split conformal: the quantile's rank counts the post that is yet to come."""
    if not len(targets):
        return Calibration()
    residuals = np.sort(targets - predicted)
    tail = (1 - INTERVAL) / 2
    low = int(np.floor(tail * (len(residuals) + 1))) - 1
    high = int(np.ceil((1 - tail) * (len(residuals) + 1))) - 1
    last = len(residuals) - 1
    return Calibration(low=float(residuals[np.clip(low, 0, last)]), high=float(residuals[np.clip(high, 0, last)]))


def _temperature(raw: Floats, targets: Floats) -> float:
    from scipy.optimize import minimize_scalar

    picked = targets.astype(np.int64)
    # As Platt does for two classes: without an error among n posts one is still expected in n + 2.
    doubt = 1 / (len(picked) + 2)

    def loss(log_slope: float) -> float:
        logits = raw * np.exp(log_slope)
        logits = logits - logits.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        right = logs[np.arange(len(picked)), picked].mean()
        return -float((1 - doubt) * right + doubt * logs.mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def _platt(raw: Floats, actual: Floats) -> tuple[float, float]:
    positives = int(actual.sum())
    if min(positives, len(actual) - positives) < MIN_OF_EACH:
        return 1.0, 0.0
    from sklearn.linear_model import LogisticRegression

    # Platt's targets keep away from 0 and 1; a weak penalty does the same for the slope.
    line = LogisticRegression(C=10.0, max_iter=200).fit(raw.reshape(-1, 1), actual.astype(np.int64))
    slope = float(line.coef_[0, 0])
    return (slope, float(line.intercept_[0])) if slope > 0 else (1.0, 0.0)
