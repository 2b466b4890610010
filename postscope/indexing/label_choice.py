"""Thresholds of labels, and whether they are taken: decided on folds that they were not fitted on.

A fit is a temper and thresholds. To say whether a label takes its fitted threshold, fits without one fold each are
compared with the default on the folds that they lack. To say honestly what comes of that, the whole of it is done once
more without each fold, which is then decided by it: nested cross-validation (Varma and Simon 2006). Fits that lack the
same folds are the same, so five folds need sixteen fits: of everything, without one, and without two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from postscope.indexing.label_blocks import Labeller
from postscope.indexing.label_fit import (
    ENOUGH,
    Decided,
    Judged,
    Truth,
    best_threshold,
    counts,
    f_half,
    fit_temper,
)
from postscope.indexing.zero_shot import Floats, Temper


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What a sample says of temper and thresholds.

    Attributes:
        temper: fitted on all of it.
        thresholds: shape (labels,); the labeller's own where none was taken.
        reasons: of each label why a fitted one was not taken; None where it was.
    """

    temper: Temper
    thresholds: Floats
    reasons: list[str | None]


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What all of a sample says, and what it is worth.

    Attributes:
        choice: by all folds.
        scores: shape (n, labels): probabilities of every fold, tempered by the other folds.
        said: shape (n, labels): what every fold is given by the choice of the other folds alone.
    """

    choice: Choice
    scores: Floats
    said: Decided


def choose(labeller: Labeller, judged: Judged, folds: npt.NDArray[np.intp], *, seed: int) -> Chosen:
    """Temper and thresholds by all of a sample, and what they are worth.

    Args:
        labeller: as it is today.
        judged: raw logits, and what people said.
        folds: shape (n,): the fold of each post.
        seed: of which posts a temper is fitted on where they are many.
    """
    names = np.unique(folds).tolist()
    fits: dict[frozenset[int], Choice] = {}
    for size in range(3):
        enough = max(1, ENOUGH * (len(names) - size) // max(1, len(names)))
        for without in combinations(names, size):
            rest = judged.only(~np.isin(folds, without))
            fits[frozenset(without)] = _fit(labeller, rest, enough=enough, seed=seed)
    scores, said = np.zeros(judged.truth.shape, np.float32), np.zeros(judged.truth.shape, bool)
    for fold in names:
        held = folds == fold
        choice = _by_others(labeller, judged, folds, fits, frozenset((fold,)))
        scores[held] = tempered(labeller, judged.only(held), choice.temper)
        said[held] = labeller.decide(scores[held], choice.thresholds)
    return Chosen(_by_others(labeller, judged, folds, fits, frozenset()), scores, said)


def tempered(labeller: Labeller, judged: Judged, temper: Temper) -> Floats:
    """Probabilities, (n, labels)."""
    return labeller.from_logits(temper.apply(judged.logits, judged.kinds), judged.background)


def _by_others(
    labeller: Labeller,
    judged: Judged,
    folds: npt.NDArray[np.intp],
    fits: dict[frozenset[int], Choice],
    without: frozenset[int],
) -> Choice:
    """The fit without some folds, of which what is not worth it on one of the others, fitted without it, is not taken.

    Nothing that is in ``without`` is looked at.
    """
    kept = ~np.isin(folds, list(without))
    judged, folds = judged.only(kept), folds[kept]
    scores = np.zeros(judged.truth.shape, np.float32)
    thresholds = np.tile(labeller.thresholds, (len(scores), 1))
    for fold in np.unique(folds).tolist():
        held, fit = folds == fold, fits[without | {fold}]
        scores[held] = tempered(labeller, judged.only(held), fit.temper)
        thresholds[held] = fit.thresholds
    fit = fits[without]
    reasons = _kept(labeller, scores, thresholds, judged.truth, fit.reasons)
    taken = np.array([reason is None for reason in reasons], bool)
    return Choice(fit.temper, np.where(taken, fit.thresholds, labeller.thresholds).astype(np.float32), reasons)


def _fit(labeller: Labeller, judged: Judged, *, enough: int, seed: int) -> Choice:
    """Thresholds where there are enough judgements; why not elsewhere.

    Args:
        labeller: as it is today.
        judged: what it is fitted on.
        enough: posts that have a label, and posts that have it not, from which on its threshold is fitted. Without a
            fold it is as much less as the fold is of the whole, so that a label that just has enough is tried too.
        seed: as above.
    """
    temper = fit_temper(judged, labeller.from_logits, seed=seed)
    found = labeller.thresholds.copy()
    reasons: list[str | None] = []
    passing = np.asfortranarray(labeller.eligible(tempered(labeller, judged, temper)))
    marks = np.asfortranarray(judged.truth)
    for label in range(marks.shape[1]):
        scores, truth = passing[:, label], marks[:, label]
        has, has_not = int((truth == 1).sum()), int((truth == 0).sum())
        if has < enough or has_not < enough:
            reasons.append(f"too few examples: {has} posts have it, {has_not} have it not, {enough} of each are needed")
            continue
        known = truth >= 0
        found[label] = best_threshold(scores[known], truth[known])
        reasons.append(None)
    return Choice(temper, found, reasons)


def _kept(
    labeller: Labeller, scores: Floats, thresholds: Floats, truth: Truth, reasons: Sequence[str | None]
) -> list[str | None]:
    """Which labels keep their fitted thresholds.

    What a label's children keep changes what it is given, so it is looked at again until nothing changes.

    Args:
        labeller: as it is today.
        scores: shape (n, labels).
        thresholds: shape (n, labels), fitted on the folds that a post is not in.
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
            return found
        found = again


def _doubt(fitted: float, default: float) -> str | None:
    """Why a fitted threshold is not taken, by F0.5 on held-out folds; None where it is."""
    if fitted < default:
        return "the fitted threshold is worse on held-out folds"
    if fitted == 0:
        return "not told apart yet: on held-out folds no post is given it rightly, whatever the threshold"
    return None
