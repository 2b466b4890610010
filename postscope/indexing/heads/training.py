"""From labels to a head: try, choose, calibrate, judge on the newest posts, then learn from all. Read this first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from postscope.indexing.heads.calibrating import fit_calibration
from postscope.indexing.heads.choosing import Problem, Tell, Tried, compare, thresholds_of
from postscope.indexing.heads.estimators import Task
from postscope.indexing.heads.features import Floats, Indices, PostFeatures
from postscope.indexing.heads.head import TrainedHead, calibrated, fit_parts
from postscope.indexing.heads.measures import MIN_POSITIVES, measure
from postscope.indexing.heads.named import LabelNames
from postscope.indexing.heads.splits import Fold, SplitKind, folds, hold_out

HELD_OUT = 0.2
FOLDS = 4
MIN_POSTS = 20
MIN_PER_LABEL = 3
"""A label with fewer posts than folds can be in cannot be learned or judged."""
SELECT_FROM = 8_000
"""Posts, the newest, on which recipes are compared; the chosen one learns from all."""


class TooFewLabels(ValueError):
    """There is not enough to learn from; the message says what is missing."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a training gives.

    Attributes:
        head: learned from all posts; this is what serves.
        judged: the same without the held-out posts; its measures are the head's honest ones.
        held_out: places of the newest posts.
        expected: what ``judged`` says of the held-out posts: what to expect of new ones.
        report: measures, recipes that were compared, thresholds and what they come from.
    """

    head: TrainedHead
    judged: TrainedHead
    held_out: Indices
    expected: Floats
    report: dict[str, Any]


def train(
    posts: PostFeatures,
    targets: Floats,
    labels: Sequence[str],
    task: Task,
    *,
    space: str,
    seed: int,
    tell: Tell,
    names: LabelNames | None = None,
) -> Trained:
    """Train a head.

    Args:
        posts: n labelled posts.
        targets: of ``tags`` shape (n, k) of 0 and 1; of ``classes`` shape (n,) of places in ``labels``; of ``number``
            shape (n,).
        labels: names of tags or classes; one empty name for a number.
        task: what is learned.
        space: id of the space of the vectors.
        seed: of whatever is random.
        tell: hears how far it is.
        names: of the labels, for a head with few posts; without, only posts are learned from.

    Raises:
        TooFewLabels: there are fewer than ``MIN_POSTS`` posts, or ``MIN_PER_LABEL`` of a label, or one class only.
    """
    _check(posts, targets, labels, task)
    split = hold_out(posts.times, posts.groups, HELD_OUT)
    rows = split.train[np.argsort(posts.times[split.train], kind="stable")][-SELECT_FROM:]
    some, wanted = posts.take(rows), targets[rows]
    kind, parts = folds(some.times, some.groups, _strata(wanted, task), count=FOLDS, seed=seed)
    if not parts:
        raise TooFewLabels("all labelled posts are copies of each other")
    helped = names if names is not None and LabelNames.of_use(len(labels), len(rows)) else None
    tried, best = compare(Problem(some, wanted, labels, task, helped, seed), parts, tell)
    tell(len(tried), len(tried) + 2, "calibrating")
    calibration = fit_calibration(best.raw, wanted[best.rows], task)
    predictions = calibrated(best.raw, task, calibration)
    thresholds = thresholds_of(predictions, wanted[best.rows], task)

    def fitted(chosen: Indices) -> TrainedHead:
        made = fit_parts(posts.take(chosen), targets[chosen], task, best.recipe, seed, helped)
        return TrainedHead(task, tuple(labels), tuple(thresholds.tolist()), best.recipe, made, calibration, space)

    judged = fitted(split.train)
    tell(len(tried) + 1, len(tried) + 2, "learning from all")
    head = fitted(np.arange(len(posts)))
    held = _judge(judged, posts, targets, split)
    report = _report(tried, best, kind, thresholds, targets, labels, task, held)
    return Trained(head, judged, split.test, judged.predict(posts.take(split.test)), report)


def judge(head: TrainedHead, posts: PostFeatures, targets: Floats) -> dict[str, Any]:
    """Measures of a head on these posts; see ``measures.measure``."""
    return measure(head.task, head.predict(posts), targets, head.labels, np.array(head.thresholds))


def _judge(head: TrainedHead, posts: PostFeatures, targets: Floats, split: Fold) -> dict[str, Any]:
    return judge(head, posts.take(split.test), targets[split.test])


def _check(posts: PostFeatures, targets: Floats, labels: Sequence[str], task: Task) -> None:
    if len(posts) < MIN_POSTS:
        raise TooFewLabels(f"{len(posts)} labelled posts; {MIN_POSTS} or more are needed")
    if task == "number":
        if np.ptp(targets) <= 0:
            raise TooFewLabels("every post has the same number")
        return
    counts = np.bincount(targets.astype(np.int64), minlength=len(labels)) if task == "classes" else targets.sum(axis=0)
    if task == "classes" and (counts > 0).sum() < 2:
        raise TooFewLabels("all posts are of one class")
    for label, count in zip(labels, counts.tolist(), strict=True):
        if count < MIN_PER_LABEL:
            raise TooFewLabels(f"label {label!r} has {int(count)} posts; {MIN_PER_LABEL} or more are needed")
        if task == "tags" and count == len(posts):
            raise TooFewLabels(f"every post has the label {label!r}: nothing says what is not it")


def _strata(targets: Floats, task: Task) -> list[str]:
    if task == "classes":
        return [str(int(value)) for value in targets]
    if task == "number":
        return [""] * len(targets)
    # The rarest label that a post has: common ones are in every fold anyway.
    order = np.argsort(targets.sum(axis=0), kind="stable")
    return [next((str(n) for n in order if row[n]), "") for row in targets]


def _report(
    tried: list[Tried],
    best: Tried,
    kind: SplitKind,
    thresholds: Floats,
    targets: Floats,
    labels: Sequence[str],
    task: Task,
    held: dict[str, Any],
) -> dict[str, Any]:
    compared = sorted(tried, key=lambda item: -item.objective)
    report: dict[str, Any] = {
        "held_out": held,
        "validation": {"kind": kind, "folds": FOLDS, "objective": best.objective},
        "compared": [
            {"recipe": item.recipe.name(), "objective": _finite(item.objective), "whole": item.whole}
            for item in compared
        ],
        "recipe": best.recipe.name(),
        "posts": len(targets),
        "taught": len(targets) - held["posts"],
    }
    if task == "tags":
        report["thresholds"] = [
            {"label": label, "threshold": float(thresholds[n]), "fitted": bool(targets[:, n].sum() >= MIN_POSITIVES)}
            for n, label in enumerate(labels)
        ]
    return report


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
