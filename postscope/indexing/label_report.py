"""What a taxonomy's thresholds are worth: fitted, and measured on folds that were not learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from postscope.indexing.folds import grouped_folds
from postscope.indexing.label_blocks import Labeller
from postscope.indexing.label_choice import choose, tempered
from postscope.indexing.label_fit import (
    Decided,
    Judged,
    Truth,
    calibration_error,
    counts,
    f_half,
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
    """Fit temper and thresholds, and report what such a fit does to posts that it did not see.

    What is kept is fitted and chosen on all of the sample. What is reported is said of each fold by what the others
    alone would have led to, so the figures are of the procedure, with a little less to learn from, and not of the very
    thresholds that are kept: a label can be fitted and have an F0.5 of less than before.

    Args:
        labeller: as it is today.
        judged: raw logits, and what people said.
        groups: copies have one number.
        paths: of the labels.
        slices: by name, of each post what it is: its language, source, kind of media.
        seed: of folds and resampling.
    """
    folds = grouped_folds(groups, judged.truth, folds=FOLDS, seed=seed)
    before = tempered(labeller, judged, labeller.temper)
    said_before = labeller.decide(before, labeller.thresholds)
    chosen = choose(labeller, judged, folds, seed=seed)
    after, said, choice = chosen.scores, chosen.said, chosen.choice
    fitted = np.array([reason is None for reason in choice.reasons], bool)
    report = {
        "posts": len(judged.truth),
        "groups": len(np.unique(groups)),
        "folds": FOLDS,
        "weighted_f05": {
            "before": _weighted(said_before, judged.truth),
            "after": _weighted(said, judged.truth),
        },
        "calibration": _calibration(before, after, judged.truth, choice.temper),
        "labels": _labels(
            paths,
            said,
            said_before,
            judged.truth,
            choice.thresholds,
            choice.reasons,
            intervals(said, judged.truth, groups, seed=seed),
        ),
        "slices": {name: _slices(values, said, judged.truth) for name, values in slices.items()},
    }
    return Fit(choice.temper, choice.thresholds, fitted, report)


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
