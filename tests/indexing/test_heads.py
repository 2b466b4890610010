"""Heads as they learn: honest thresholds, calibrated probabilities, parts and names that help."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postscope.indexing.heads.calibrating import fit_calibration
from postscope.indexing.heads.drift import Reference, expected_noise
from postscope.indexing.heads.features import Metadata, PostFeatures
from postscope.indexing.heads.head import calibrated
from postscope.indexing.heads.measures import DEFAULT_THRESHOLD, best_thresholds, f_beta, label_measures
from postscope.indexing.heads.metadata import REACH, MetadataEncoder
from postscope.indexing.heads.named import LabelNames
from postscope.indexing.heads.training import TooFewLabels, judge, train
from tests.indexing.head_posts import DIM, classes, posts, rng, silent


def test_classes_are_learned_and_judged_on_posts_that_were_held_out() -> None:
    some, targets = classes(rng(), 150)
    trained = train(some, targets, ["a", "b", "c"], "classes", space="s", seed=1, tell=silent)
    assert trained.report["held_out"]["posts"] == len(trained.held_out) == 30
    assert trained.report["held_out"]["macro_f1"] > 0.9
    assert set(trained.held_out.tolist()) == set(range(120, 150)), "the newest posts are held out"
    probabilities = trained.head.predict(some)
    assert probabilities.shape == (150, 3)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(150))
    tried = {item["recipe"].split(" on ")[1].split(",")[0] for item in trained.report["compared"]}
    assert {"fused", "letters"} <= tried


def test_names_help_where_little_was_judged_and_wrong_ones_are_left_out() -> None:
    source = rng()
    few, targets = classes(source, 30)
    few = replace(few, text=few.text + source.normal(scale=0.6, size=few.text.shape).astype(np.float32))
    few = replace(few, fused=few.text)
    many, wanted = classes(source, 600)
    towards = np.eye(3, DIM, dtype=np.float32)
    names = ["a", "b", "c"]

    def learned(called: LabelNames | None) -> tuple[float, str]:
        trained = train(few, targets, names, "classes", space="s", seed=1, tell=silent, names=called)
        return judge(trained.head, many, wanted)["macro_f1"], trained.report["recipe"]

    alone, _ = learned(None)
    helped, recipe = learned(LabelNames(names, towards, towards))
    misled, _ = learned(LabelNames(names, np.roll(towards, 1, axis=0), towards))
    assert "names as examples" in recipe
    assert helped > alone
    assert misled > 0.6 * alone


def test_names_stand_for_images_and_for_tags() -> None:
    source = rng()
    truth = np.eye(3)[np.arange(60) % 3]
    some = posts(source, truth @ np.eye(3, DIM), media=[n % 2 == 0 for n in range(60)])
    names = LabelNames(["a", "b", "c"], np.eye(3, DIM, dtype=np.float32), np.eye(3, DIM, dtype=np.float32))
    grown, targets = names.added_to(some, truth, "tags")
    assert (len(grown), targets.shape) == (60 + 2 * 3 * 16, (60 + 2 * 3 * 16, 3))
    assert not (grown.has_text & grown.has_media).any(), "a name is a text, or stands where an image would"
    trained = train(some, truth, ["a", "b", "c"], "tags", space="s", seed=1, tell=silent, names=names)
    assert trained.report["held_out"]["macro_f1"] > 0.8


def test_boosting_is_given_up_where_it_falls_behind_and_not_begun_with_few_posts() -> None:
    few, targets = classes(rng(), 90)
    report = train(few, targets, ["a", "b", "c"], "classes", space="s", seed=1, tell=silent).report
    assert not any("boosting" in item["recipe"] for item in report["compared"])
    source = rng()
    centres = np.eye(DIM)[np.arange(240) % 2]
    noisy = posts(source, centres, spread=1.2)
    report = train(noisy, np.arange(240.0) % 2, ["a", "b"], "classes", space="s", seed=1, tell=silent).report
    boosted = [item for item in report["compared"] if "boosting" in item["recipe"]]
    assert [item["whole"] for item in boosted] == [False]
    ways = [item for item in report["compared"] if item["recipe"].endswith("C=1, balanced")]
    assert [item["whole"] for item in ways] == [True, True], "the ways to fuse are compared on all folds"


def test_the_same_data_gives_the_same_head() -> None:
    some, targets = classes(rng(), 90)
    first, second = (train(some, targets, ["a", "b", "c"], "classes", space="s", seed=1, tell=silent) for _ in range(2))
    assert first.report == second.report
    assert np.array_equal(first.head.predict(some), second.head.predict(some))


def test_posts_with_parts_missing_are_scored_by_what_they_have() -> None:
    source = rng()
    targets = (np.arange(160) % 2).astype(np.float64)
    pictured = [n % 4 < 2 for n in range(160)]
    some = posts(source, np.eye(DIM)[targets.astype(int)], media=pictured)
    trained = train(some, targets, ["a", "b"], "classes", space="s", seed=1, tell=silent)
    names = [item["recipe"] for item in trained.report["compared"]]
    assert any("late" in name for name in names)
    assert any("parts" in name for name in names)
    assert trained.report["held_out"]["accuracy"] > 0.9
    nothing = posts(source, np.zeros((1, DIM)), spread=1e-9)
    empty = PostFeatures([""], nothing.text * 0, nothing.media, nothing.fused * 0, [{}], nothing.times, nothing.groups)
    assert np.isfinite(trained.head.predict(empty)).all()


def test_tags_get_thresholds_and_rare_ones_say_that_they_kept_the_default() -> None:
    source = rng()
    truth = np.zeros((200, 2))
    truth[:80, 0] = 1
    truth[::40, 1] = 1
    centres = truth @ np.eye(2, DIM) + 0.3 * np.eye(DIM)[2]
    order = source.permutation(200)
    some = posts(source, centres[order], spread=0.2)
    trained = train(some, truth[order], ["common", "rare"], "tags", space="s", seed=1, tell=silent)
    common, rare = trained.report["thresholds"]
    assert (common["fitted"], rare["fitted"]) == (True, False)
    assert rare["threshold"] == DEFAULT_THRESHOLD
    assert trained.report["held_out"]["labels"][0]["precision"] > 0.8


def test_a_number_comes_with_an_interval_that_covers_as_it_says() -> None:
    source = rng()
    known = [{"followers": float(source.integers(1, 10_000))} for _ in range(400)]
    targets = np.array([np.log1p(row["followers"]) + source.normal(scale=0.5) for row in known])
    some = posts(source, np.zeros((400, DIM)), metadata=known, spread=1.0)
    trained = train(some, targets, [""], "number", space="s", seed=1, tell=silent)
    held = trained.report["held_out"]
    assert held["r2"] > 0.6
    assert 0.65 < held["interval_coverage"] < 0.95
    values = trained.head.predict(some)
    assert (values[:, 1] <= values[:, 2]).all()


def test_a_number_far_beyond_those_it_was_taught_says_no_more_than_a_large_one() -> None:
    """A line goes on for ever: a forged or broken count would be a prediction without bounds."""
    taught = MetadataEncoder.fit([{"followers": 10.0**n} for n in range(6)] * 5)
    rows: list[Metadata] = [{"followers": value} for value in (1e5, 1e300, -1e300)]
    found = taught.transform(rows)[:, 0].tolist()
    assert 1 < found[0] < 2
    assert found[1:] == [REACH, -REACH]


@pytest.mark.parametrize(
    ("count", "targets", "task", "reason"),
    [
        (5, [0, 1, 0, 1, 0], "classes", "20 or more"),
        (30, [0] * 30, "classes", "one class"),
        (30, [0] * 28 + [1] * 2, "classes", "'b' has 2 posts"),
        (30, [1.5] * 30, "number", "same number"),
    ],
)
def test_too_little_to_learn_from_says_what_is_missing(
    count: int, targets: list[float], task: str, reason: str
) -> None:
    some = posts(rng(), np.zeros((count, DIM)), spread=1.0)
    labels = ["a", "b"] if task == "classes" else [""]
    with pytest.raises(TooFewLabels, match=reason):
        train(some, np.array(targets, float), labels, task, space="s", seed=1, tell=silent)  # type: ignore[arg-type]


def test_a_tag_that_every_post_has_cannot_be_learned() -> None:
    some = posts(rng(), np.zeros((30, DIM)), spread=1.0)
    with pytest.raises(TooFewLabels, match="nothing says what is not it"):
        train(some, np.ones((30, 1)), ["all"], "tags", space="s", seed=1, tell=silent)


def test_only_copies_of_one_post_are_refused() -> None:
    some, targets = classes(rng(), 40, 2)
    copies = PostFeatures(
        some.texts, some.text, some.media, some.fused, some.metadata, some.times, np.zeros(40, np.int64)
    )
    with pytest.raises(TooFewLabels, match="copies"):
        train(copies, targets, ["a", "b"], "classes", space="s", seed=1, tell=silent)


def test_f_half_prefers_precision() -> None:
    one = np.array([1.0])
    precise = f_beta(one * 5, one * 5, one * 10, 0.5)
    complete = f_beta(one * 10, one * 20, one * 10, 0.5)
    assert precise[0] == pytest.approx(0.8333, abs=1e-4)
    assert complete[0] == pytest.approx(0.5556, abs=1e-4)


@given(st.integers(0, 2**32 - 1))
@example(145312)  # the label would best be given to posts of probability 0 as well
def test_no_other_threshold_does_better(seed: int) -> None:
    source = np.random.default_rng(seed)
    probabilities = np.round(source.random((60, 1)), 2)
    actual = source.random((60, 1)) < 0.2 + 0.6 * probabilities
    chosen = best_thresholds(probabilities, actual)
    if actual.sum() < 10 or actual.all():
        assert chosen[0] == DEFAULT_THRESHOLD
        return
    best = label_measures(probabilities >= chosen, actual, ["x"])[0].f_half
    for other in np.linspace(0.005, 0.995, 100):
        assert label_measures(probabilities >= other, actual, ["x"])[0].f_half <= best + 1e-12


def test_overconfident_probabilities_are_tempered() -> None:
    source = rng()
    true = source.normal(size=(3_000, 1))
    actual = (source.random((3_000, 1)) < 1 / (1 + np.exp(-true))).astype(np.float64)
    boastful = 4 * true
    calibration = fit_calibration(boastful, actual, "tags")
    assert calibration.slopes[0] == pytest.approx(0.25, abs=0.05)
    fair = calibrated(boastful, "tags", calibration)
    high = fair[:, 0] > 0.7
    assert actual[high].mean() == pytest.approx(fair[high].mean(), abs=0.05)


def test_drift_is_silent_on_the_same_and_loud_on_other_posts() -> None:
    source = rng()
    before = source.normal(size=(2_000, DIM)).astype(np.float32)
    reference = Reference.from_json(Reference.of(before, before[:, :1].astype(np.float64)).to_json())
    same = source.normal(size=(1_000, DIM)).astype(np.float32)
    moved = same + np.float32(1.0)
    assert reference.embedding_distance(same) < 3 * expected_noise(2_000, 1_000)
    assert reference.embedding_distance(moved) > 0.25
    assert reference.score_distance(same[:, :1].astype(np.float64)) < 4 * expected_noise(2_000, 1_000)
    assert reference.score_distance(moved[:, :1].astype(np.float64)) > 0.25
