"""Which thresholds a calibration keeps: fitted ones that were worth it on folds they were not fitted on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from postscope.indexing.label_choice import choose
from postscope.indexing.label_fit import Judged, counts, f_half
from postscope.indexing.label_report import Fit, calibrate_labels
from tests.indexing.test_zero_shot import AXES, labeller

NAMES = ("plain", "copies", "noise")
DEFAULT = 0.9


def calibrated(
    logits: npt.NDArray[np.float32],
    truth: npt.NDArray[np.int8],
    groups: npt.NDArray[np.intp],
    parents: tuple[int, ...] = (-1, -1),
) -> Fit:
    judged = Judged(logits, np.zeros(len(truth), np.float32), truth, np.full(len(truth), "text"))
    names = NAMES[: truth.shape[1]]
    one = replace(labeller(AXES[: len(names)], threshold=DEFAULT), parents=np.array(parents, np.intp))
    return calibrate_labels(one, judged, groups, paths=names, slices={}, seed=1)


def test_what_no_held_out_post_is_rightly_given_is_not_called_fitted() -> None:
    """All posts with the second label are copies of each other: on all of them a threshold can be fitted, but none
    that tells anything of a post that is new."""
    rng = np.random.default_rng(0)
    truth = np.zeros((100, 2), np.int8)
    truth[:40, 0] = 1
    truth[80:, 1] = 1
    logits = np.where(truth == 1, [1.0, -2.0], [-3.0, -6.0]) + rng.normal(scale=0.2, size=truth.shape)
    groups = np.minimum(np.arange(100), 80)
    fit = calibrated(logits.astype(np.float32), truth, groups)
    plain, copies = fit.report["labels"]
    assert fit.fitted.tolist() == [True, False]
    assert (plain["threshold_from"], plain["reason"], plain["f05"]) == ("fitted", None, 1.0)
    assert (copies["threshold_from"], copies["f05"], copies["threshold"]) == ("default", 0.0, DEFAULT)
    assert copies["reason"].startswith("not told apart yet")


@pytest.mark.parametrize("parents", [(-1, -1, -1), (-1, 0, 0)])
@pytest.mark.parametrize("seed", range(6))
def test_a_threshold_that_was_not_worth_it_is_not_taken_whatever_the_sample(
    seed: int, parents: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(seed)
    truth = (rng.random((80, 3)) < [0.4, 0.2, 0.15]).astype(np.int8)
    if parents[1] == 0:
        truth[:, 0] = truth.max(axis=1)
    strength = np.array([3.0, 1.0, 0.0])
    logits = (strength * truth - 1 + rng.normal(size=truth.shape)).astype(np.float32)
    fit = calibrated(logits, truth, np.arange(80), parents)
    for label, fitted, threshold in zip(fit.report["labels"], fit.fitted, fit.thresholds, strict=True):
        assert (label["reason"] is None) == fitted
        assert fitted or threshold == pytest.approx(DEFAULT)
        assert not fitted or label["f05"] > 0


def noise(seed: int, posts: int, labels: int) -> Judged:
    """Half of the posts have a label, whatever their logits."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((posts, labels)) < 0.5).astype(np.int8)
    logits = rng.normal(size=(posts, labels)).astype(np.float32)
    return Judged(logits, np.zeros(posts, np.float32), truth, np.full(posts, "text"))


def test_what_is_reported_is_no_better_than_what_new_posts_get() -> None:
    """Of labels that nothing tells, now the fitted threshold looks better and now the default: to take for each the
    one that did better, and to report how it did, would promise more than comes."""
    labels = 30
    one = labeller(AXES[:labels], threshold=0.5)
    reported, true = [], []
    for seed in range(8):
        judged = noise(seed, 100, labels)
        fit = calibrate_labels(one, judged, np.arange(100), paths=["a label"] * labels, slices={}, seed=1)
        reported.append(np.mean([label["f05"] for label in fit.report["labels"]]))
        new = noise(1_000 + seed, 5_000, labels)
        scores = one.from_logits(fit.temper.apply(new.logits, new.kinds), new.background)
        true.append(f_half(*counts(one.decide(scores, fit.thresholds), new.truth)).mean())
    assert np.mean(reported) <= np.mean(true) + 0.005


@pytest.mark.parametrize("held", range(5))
def test_what_is_said_of_a_fold_does_not_depend_on_what_people_said_of_it(held: int) -> None:
    judged = noise(0, 100, 6)
    folds = np.arange(100) % 5
    mine = folds == held
    one = labeller(AXES[:6], threshold=0.5)
    other = replace(judged, truth=np.where(mine[:, np.newaxis], 1 - judged.truth, judged.truth).astype(np.int8))
    first, second = (choose(one, sample, folds, seed=0) for sample in (judged, other))
    assert np.array_equal(first.said[mine], second.said[mine])
    assert np.array_equal(first.scores[mine], second.scores[mine])
    assert not np.array_equal(first.said[~mine], second.said[~mine])
