"""Thresholds and probabilities of labels, from posts that people judged.

``truth`` is of shape (n, labels): 1 where a post has a label, 0 where it has not, -1 where nobody said. A wrong label
costs more than a missed one, so thresholds maximise F0.5 (van Rijsbergen 1979). All that is reported was decided on
folds that were not learned from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postscope.indexing.zero_shot import KINDS, Floats, Kind, Temper

BETA2 = 0.25
"""Beta squared: of F0.5."""
ENOUGH = 10
"""Posts that have a label, and posts that have it not, from which on its threshold is fitted."""
ENOUGH_OF_A_KIND = 60
"""Posts of text, media or both from which on that kind has a scale of its own."""
MOST_PAIRS = 400_000
RESAMPLES = 400
BINS = 10

Truth = npt.NDArray[np.int8]
Counts = npt.NDArray[np.float64]
Decided = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A labelled sample: logits (n, labels), the background's (n,), what people said, and which parts posts have."""

    logits: Floats
    background: Floats
    truth: Truth
    kinds: npt.NDArray[np.str_]

    def only(self, rows: npt.NDArray[np.bool_]) -> Judged:
        """These posts alone."""
        return Judged(self.logits[rows], self.background[rows], self.truth[rows], self.kinds[rows])


Probabilities = Callable[[Floats, Floats], Floats]
"""From tempered logits and the background to probabilities (n, labels)."""


def f_half(right: Counts, wrong: Counts, missed: Counts) -> Counts:
    """F0.5 of counts; 0 where nothing is right."""
    total = (1 + BETA2) * right + BETA2 * missed + wrong
    return np.divide((1 + BETA2) * right, total, out=np.zeros_like(total), where=total > 0)


def counts(said: Decided, truth: Truth) -> tuple[npt.NDArray[np.float64], ...]:
    """Right, wrong and missed of each label, (labels,), among what people judged."""
    return (
        (said & (truth == 1)).sum(axis=0).astype(np.float64),
        (said & (truth == 0)).sum(axis=0).astype(np.float64),
        (~said & (truth == 1)).sum(axis=0).astype(np.float64),
    )


def best_threshold(scores: Floats, truth: npt.NDArray[np.int8]) -> float:
    """The threshold that maximises F0.5: between the last score that is to pass and the next; of equals the highest.

    Args:
        scores: shape (n,).
        truth: shape (n,), 0 and 1.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, has = scores[order].astype(np.float64), truth[order] == 1
    right = np.cumsum(has).astype(np.float64)
    wrong = np.cumsum(~has).astype(np.float64)
    quality = f_half(right, wrong, right[-1] - right)
    last_of_equals = np.r_[ordered[1:] != ordered[:-1], True]
    best = int(np.where(last_of_equals, quality, -1.0).argmax())
    below = ordered[best + 1] if best + 1 < len(ordered) else 0.0
    return float(np.clip((ordered[best] + max(below, 0.0)) / 2, 0.01, 0.999))


def fit_temper(judged: Judged, probabilities: Probabilities, *, seed: int) -> Temper:
    """Scale and shift of the logits that make judged pairs most likely, for each kind of post with enough of them.

    The others share one fitted on all. Found by pattern search (Hooke and Jeeves 1961) on the cross-entropy.
    """
    everything = _fit_line(judged, probabilities, seed)
    if everything is None:
        return Temper()
    scale: dict[Kind, float] = {}
    shift: dict[Kind, float] = {}
    for kind in KINDS:
        rows = judged.kinds == kind
        own = _fit_line(judged.only(rows), probabilities, seed) if rows.sum() >= ENOUGH_OF_A_KIND else None
        scale[kind], shift[kind] = own or everything
    return Temper(scale, shift)


def _fit_line(judged: Judged, probabilities: Probabilities, seed: int) -> tuple[float, float] | None:
    if (judged.truth == 1).sum() < ENOUGH or (judged.truth == 0).sum() < ENOUGH:
        return None
    most = max(1, MOST_PAIRS // judged.truth.shape[1])
    if len(judged.truth) > most:
        rows = np.zeros(len(judged.truth), bool)
        rows[np.random.default_rng(seed).choice(len(rows), most, replace=False)] = True
        judged = judged.only(rows)
    known, has = judged.truth >= 0, judged.truth == 1

    def loss(log_scale: float, shift: float) -> float:
        tempered = (judged.logits * np.float32(np.exp(log_scale)) + np.float32(shift)).astype(np.float32)
        found = np.clip(probabilities(tempered, judged.background).astype(np.float64), 1e-7, 1 - 1e-7)
        wrong = np.where(has, np.log(found), np.log1p(-found))[known]
        # A weak pull to what the space was calibrated with, which few judgements must not overthrow.
        return float(-wrong.mean()) + 1e-3 * (log_scale**2 + 0.05 * shift**2)

    place, step = np.zeros(2), 1.0
    best = loss(0.0, 0.0)
    while step > 0.02:
        for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
            tried = place.copy()
            tried[axis] += sign * step * (0.5 if axis == 0 else 1.0)
            if abs(tried[0]) <= 3.0 and (found := loss(float(tried[0]), float(tried[1]))) < best - 1e-9:
                place, best = tried, found
                break
        else:
            step /= 2
    return float(np.exp(place[0])), float(place[1])


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of post and label with about one probability: how many, the mean of it, and how many have the label."""

    pairs: int
    said: float
    true: float


def reliability(scores: Floats, truth: Truth) -> list[Bin]:
    """Judged pairs in ``BINS`` bins of equal width, empty ones too."""
    known = truth >= 0
    chosen, has = scores[known].astype(np.float64), truth[known] == 1
    place = np.minimum((chosen * BINS).astype(int), BINS - 1)
    pairs = np.bincount(place, minlength=BINS)
    said = np.bincount(place, weights=chosen, minlength=BINS)
    true = np.bincount(place, weights=has, minlength=BINS)
    return [Bin(int(n), float(s / max(n, 1)), float(t / max(n, 1))) for n, s, t in zip(pairs, said, true, strict=True)]


def calibration_error(bins: list[Bin]) -> float:
    """Expected calibration error (Naeini et al. 2015): the mean distance of what is said from what is true."""
    total = sum(item.pairs for item in bins)
    return sum(item.pairs * abs(item.said - item.true) for item in bins) / max(total, 1)


def intervals(said: Decided, truth: Truth, groups: npt.NDArray[np.intp], *, seed: int) -> npt.NDArray[np.float64]:
    """Of each label's F0.5, the 2.5th and 97.5th percentile, (labels, 2), by drawing groups again (Efron 1979)."""
    _, place = np.unique(groups, return_inverse=True)
    size = int(place.max()) + 1 if len(place) else 0
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(size, np.full(size, 1 / size), size=RESAMPLES).astype(np.float32)
    found = np.zeros((said.shape[1], 2))
    for label in range(said.shape[1]):
        known = truth[:, label] >= 0
        s, t = said[known, label], truth[known, label] == 1
        parts = [
            drawn @ np.bincount(place[known], weights=hit, minlength=size).astype(np.float32)
            for hit in (s & t, s & ~t, ~s & t)
        ]
        found[label] = np.percentile(f_half(*(part.astype(np.float64) for part in parts)), (2.5, 97.5))
    return found
