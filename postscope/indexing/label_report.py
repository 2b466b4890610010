"""What a taxonomy's thresholds are worth: fitted, and measured on folds that were not learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from postscope.indexing.folds import grouped_folds
from postscope.indexing.label_blocks import Labeller
from postscope.indexing.label_fit import (
    ENOUGH,
    Decided,
    Judged,
    Truth,
    best_threshold,
    calibration_error,
    counts,
    f_half,
    fit_temper,
    intervals,
    reliability,
)
from postscope.indexing.zero_shot import Floats, Temper

FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What came of a calibration.

    Attributes:
        temper: fitted on all of the sample.
        thresholds: shape (labels,).
        fitted: shape (labels,): whether the threshold is a fitted one.
        report: as JSON.
    """

    temper: Temper
    thresholds: Floats
    fitted: npt.NDArray[np.bool_]
    report: dict[str, Any]


def calibrate_labels(
    labeller: Labeller,
    judged: Judged,
    groups: npt.NDArray[np.intp],
    *,
    paths: Sequence[str],
    slices: Mapping[str, Sequence[str]],
    seed: int,
) -> Fit:
    """Fit temper and thresholds, and report what they do to posts they were not fitted on.

    Args:
        labeller: as it is today.
        judged: raw logits, and what people said.
        groups: copies have one number.
        paths: of the labels.
        slices: by name, of each post what it is: its language, source, kind of media.
        seed: of folds and resampling.
    """
    folds = grouped_folds(groups, judged.truth, folds=FOLDS, seed=seed)
    before = labeller.from_logits(labeller.temper.apply(judged.logits, judged.kinds), judged.background)
    said_before = labeller.decide(before, labeller.thresholds)
    after = np.zeros_like(before)
    held_thresholds = np.tile(labeller.thresholds, (len(before), 1))
    for fold in range(FOLDS):
        held = folds == fold
        if not held.any():
            continue
        temper = fit_temper(judged.only(~held), labeller.from_logits, seed=seed)
        scores = _tempered(labeller, judged, temper)
        held_thresholds[held], _ = _thresholds(labeller, scores[~held], judged.truth[~held])
        after[held] = scores[held]
    temper = fit_temper(judged, labeller.from_logits, seed=seed)
    thresholds, reasons = _thresholds(labeller, _tempered(labeller, judged, temper), judged.truth)
    reasons, said = _kept(labeller, after, held_thresholds, judged.truth, reasons)
    fitted = np.array([reason is None for reason in reasons], bool)
    thresholds = np.where(fitted, thresholds, labeller.thresholds).astype(np.float32)
    report = {
        "posts": len(judged.truth),
        "groups": len(np.unique(groups)),
        "folds": FOLDS,
        "weighted_f05": {
            "before": _weighted(said_before, judged.truth),
            "after": _weighted(said, judged.truth),
        },
        "calibration": _calibration(before, after, judged.truth, temper),
        "labels": _labels(
            paths,
            said,
            said_before,
            judged.truth,
            thresholds,
            reasons,
            intervals(said, judged.truth, groups, seed=seed),
        ),
        "slices": {name: _slices(values, said, judged.truth) for name, values in slices.items()},
    }
    return Fit(temper, thresholds, fitted, report)


def _kept(
    labeller: Labeller, scores: Floats, thresholds: Floats, truth: Truth, reasons: Sequence[str | None]
) -> tuple[list[str | None], Decided]:
    """Which labels keep their fitted thresholds, and what is said of held-out posts with those that are kept.

    What a label's children keep changes what it is given, so it is looked at again until nothing changes.

    Args:
        labeller: as it is today.
        scores: shape (n, labels), of posts that were held out.
        thresholds: shape (n, labels), fitted on the other folds.
        truth: shape (n, labels).
        reasons: why a label cannot be fitted; None where it can.
    """
    default = f_half(*counts(labeller.decide(scores, labeller.thresholds), truth))
    found = list(reasons)
    while True:
        fitted = np.array([reason is None for reason in found], bool)
        said = labeller.decide(scores, np.where(fitted, thresholds, labeller.thresholds))
        quality = f_half(*counts(said, truth))
        again = [why or _doubt(*pair) for why, *pair in zip(found, quality.tolist(), default.tolist(), strict=True)]
        if again == found:
            return found, said
        found = again


def _doubt(fitted: float, default: float) -> str | None:
    """Why a fitted threshold is not taken, by F0.5 on held-out folds; None where it is."""
    if fitted < default:
        return "the fitted threshold is worse on held-out folds"
    if fitted == 0:
        return "not told apart yet: on held-out folds no post is given it rightly, whatever the threshold"
    return None


def _tempered(labeller: Labeller, judged: Judged, temper: Temper) -> Floats:
    return labeller.from_logits(temper.apply(judged.logits, judged.kinds), judged.background)


def _thresholds(labeller: Labeller, scores: Floats, truth: Truth) -> tuple[Floats, list[str | None]]:
    """Fitted where there are enough judgements; why not elsewhere."""
    found = labeller.thresholds.copy()
    reasons: list[str | None] = []
    passing = labeller.eligible(scores)
    for label in range(scores.shape[1]):
        known = truth[:, label] >= 0
        has, has_not = int((truth[:, label] == 1).sum()), int((truth[:, label] == 0).sum())
        if has < ENOUGH or has_not < ENOUGH:
            reasons.append(f"too few examples: {has} posts have it, {has_not} have it not, {ENOUGH} of each are needed")
            continue
        found[label] = best_threshold(passing[known, label], truth[known, label])
        reasons.append(None)
    return found, reasons


def _weighted(said: Decided, truth: Truth) -> float:
    """Mean of the labels' F0.5, each as often as posts have it."""
    right, wrong, missed = counts(said, truth)
    support = right + missed
    return round(float((f_half(right, wrong, missed) * support).sum() / max(support.sum(), 1.0)), 4)


def _calibration(before: Floats, after: Floats, truth: Truth, temper: Temper) -> dict[str, Any]:
    bins = {"before": reliability(before, truth), "after": reliability(after, truth)}
    return {
        "ece": {name: round(calibration_error(found), 4) for name, found in bins.items()},
        "bins": {name: [asdict(item) for item in found] for name, found in bins.items()},
        "scale": dict(temper.scale),
        "shift": dict(temper.shift),
    }


def _labels(
    paths: Sequence[str],
    said: Decided,
    before: Decided,
    truth: Truth,
    thresholds: Floats,
    reasons: Sequence[str | None],
    bounds: npt.NDArray[np.float64],
) -> list[dict[str, Any]]:
    now, then = _figures(said, truth), _figures(before, truth)
    return [
        {
            "label": path,
            "threshold": round(float(thresholds[n]), 4),
            "threshold_from": "default" if reasons[n] else "fitted",
            "reason": reasons[n],
            "support": int((truth[:, n] == 1).sum()),
            "negatives": int((truth[:, n] == 0).sum()),
            **now[n],
            "f05_interval": [round(float(bound), 4) for bound in bounds[n]],
            "before": then[n],
        }
        for n, path in enumerate(paths)
    ]


def _figures(said: Decided, truth: Truth) -> list[dict[str, float]]:
    right, wrong, missed = counts(said, truth)
    quality = f_half(right, wrong, missed)
    return [
        {
            "precision": round(float(r / max(r + w, 1.0)), 4),
            "recall": round(float(r / max(r + m, 1.0)), 4),
            "f05": round(float(f), 4),
        }
        for r, w, m, f in zip(right, wrong, missed, quality, strict=True)
    ]


def _slices(values: Sequence[str], said: Decided, truth: Truth) -> dict[str, dict[str, float]]:
    names = np.array(values, dtype=object)
    found = {}
    for name in sorted(set(values)):
        rows = names == name
        found[name] = {
            "posts": int(rows.sum()),
            "labels": int((truth[rows] == 1).sum()),
            "weighted_f05": _weighted(said[rows], truth[rows]),
        }
    return found


def refitted(labeller: Labeller, fit: Fit) -> Labeller:
    """The labeller with what was fitted."""
    return replace(labeller, temper=fit.temper, thresholds=fit.thresholds)
