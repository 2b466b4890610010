"""Labels without training: what a background is for, what a part is compared with, and the edges of every function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from postscope.indexing.calibration import PARTS, Part, SpaceCalibration, cohort_statistics
from postscope.indexing.folds import copy_groups, grouped_folds
from postscope.indexing.label_blocks import Labeller, capped
from postscope.indexing.label_fit import (
    Judged,
    best_threshold,
    calibration_error,
    f_half,
    fit_temper,
    intervals,
    reliability,
)
from postscope.indexing.types import Centres, Vectors
from postscope.indexing.zero_shot import (
    LABEL_CURVES,
    Examples,
    Floats,
    LabelSpace,
    LinearMap,
    PostBatch,
    Temper,
    direction,
    post_logits,
    probabilities,
    sigmoid,
)

DIM = 32
AXES = np.eye(DIM, dtype=np.float32)
NOTHING = Examples.none(DIM)


def unit(rows: np.ndarray) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


def around(centre: Vectors, n: int, seed: int, spread: float = 0.5) -> Vectors:
    noise = np.random.default_rng(seed).normal(size=(n, DIM)) * spread / np.sqrt(DIM)
    return unit(centre + noise)


def as_images(rows: Vectors) -> Vectors:
    """What these say, but where images lie: half of each of them is the same."""
    flat = rows.copy()
    flat[:, -1] = 0
    return unit(unit(flat) + AXES[-1])


def calibration() -> SpaceCalibration:
    """Of a space whose images lie closer to each other than its texts, so that raw cosines do not compare."""
    zero = np.zeros(DIM, np.float32)
    anything = unit(np.random.default_rng(0).normal(size=(300, DIM)))
    return SpaceCalibration(
        Centres(zero, zero, zero),
        cohort_text=anything,
        cohort_media=as_images(anything),
        logistic={("text", "text"): (1.4, -4.0), ("text", "media"): (1.4, -4.0)},
    )


def labeller(labels: Vectors, background: Vectors | None = None, *, threshold: float = 0.5, **how: bool) -> Labeller:
    none = np.zeros((0, DIM), np.float32)
    sides: dict[Part, Vectors] = {"text": labels, "media": labels}
    behind: Mapping[Part, Vectors] = dict.fromkeys(sides, none if background is None else background)
    return Labeller(
        LabelSpace.of(sides, behind, calibration()),
        np.full(len(labels), threshold, np.float32),
        np.full(len(labels), -1, np.intp),
        **how,
    )


def texts(rows: Vectors) -> PostBatch:
    return PostBatch.of(list(rows), [None] * len(rows), DIM)


def images(rows: Vectors) -> PostBatch:
    return PostBatch.of([None] * len(rows), [row[np.newaxis] for row in rows], DIM)


def mixed(rows: Vectors) -> PostBatch:
    return PostBatch.of(list(rows), [row[np.newaxis] for row in as_images(rows)], DIM)


@pytest.mark.parametrize("exclusive", [True, False])
def test_none_of_these_is_an_answer(exclusive: bool) -> None:
    one = labeller(AXES[:2], exclusive=exclusive)
    strangers = unit(np.random.default_rng(1).normal(size=(200, DIM)) - 0.4 * AXES[:2].sum(axis=0))
    said = np.zeros(200, bool)
    said[one.give(texts(strangers)).post] = True
    assert said.mean() < 0.05
    assert set(one.give(texts(around(AXES[0], 50, 2))).label.tolist()) == {0}


def test_a_background_prompt_takes_what_is_its_own() -> None:
    between = around(unit(AXES[0] + 1.3 * AXES[5]), 50, 3, spread=0.2)
    without = labeller(AXES[:2]).probabilities(texts(between))[:, 0]
    beside = labeller(AXES[:2], AXES[5:6]).probabilities(texts(between))[:, 0]
    assert (beside < without).all()
    assert without.mean() > 0.5 > beside.mean()


def test_a_closed_set_sums_to_one_and_an_open_one_to_less() -> None:
    posts = texts(around(AXES[0], 20, 4))
    closed = labeller(AXES[:3], exclusive=True, open=False).probabilities(posts)
    opened = labeller(AXES[:3], exclusive=True).probabilities(posts)
    assert closed.sum(axis=1) == pytest.approx(np.ones(20), abs=1e-5)
    assert (opened.sum(axis=1) < 1).all()


@pytest.mark.parametrize("searches", [(1.4, -4.0), (0.3, -4.0), (2.0, -16.0)])
def test_what_a_text_needs_for_a_label_does_not_hang_on_what_answers_a_search(searches: tuple[float, float]) -> None:
    """In a space whose searches have an answer only near by, no label would ever be given."""
    space = replace(calibration(), logistic={("text", "text"): searches, ("text", "media"): searches})
    none = dict.fromkeys(PARTS, np.zeros((0, DIM), np.float32))
    labels = LabelSpace.of(dict.fromkeys(PARTS, AXES[:1]), none, space, LABEL_CURVES)
    mean, sigma = (float(found[0]) for found in cohort_statistics(AXES[:1], space.cohort_text))
    rows = np.array([[mean + sigma * deviations] for deviations in (3.0, 4.6, 7.0)], np.float32) * AXES[:1]
    found = sigmoid(post_logits(labels.parts, texts(rows)))[:, 0]
    assert found == pytest.approx([0.19, 0.5, 0.9], abs=0.01)
    as_search = LinearMap.of(AXES[:1], "media", space).logits(rows)
    assert post_logits(labels.parts, images(rows)) == pytest.approx(as_search), "of pictures the space's own holds"


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
def test_posts_of_texts_of_images_and_of_both_get_a_label_equally_often(threshold: float) -> None:
    one = labeller(AXES[:1], threshold=threshold)
    rows = around(AXES[0], 400, 5, spread=1.4)
    kinds = (texts(rows), images(as_images(rows)), mixed(rows))
    rates = [len(one.give(posts).post) / 400 for posts in kinds]
    assert min(rates) > 0.4
    assert max(rates) - min(rates) < 0.1
    assert (as_images(rows) @ AXES[0]).mean() < 0.8 * (rows @ AXES[0]).mean(), "by raw cosines images come last"
    strangers = unit(np.random.default_rng(6).normal(size=(400, DIM)))
    wrong = [len(one.give(posts).post) / 400 for posts in (texts(strangers), images(as_images(strangers)))]
    assert max(wrong) < 0.1


def test_many_images_of_nothing_are_no_better_chance_than_one() -> None:
    maps = labeller(AXES[:1]).space.parts
    rng = np.random.default_rng(7)
    alone = post_logits(maps, images(as_images(unit(rng.normal(size=(500, DIM))))))
    twenty = PostBatch.of([None] * 500, [as_images(unit(rng.normal(size=(20, DIM)))) for _ in range(500)], DIM)
    many = post_logits(maps, twenty)
    assert np.quantile(many, 0.95) < np.quantile(alone, 0.95) + 2.0


def test_an_example_of_the_other_kind_counts_for_less() -> None:
    shown = Examples(np.zeros((0, DIM), np.float32), AXES[1:2])
    towards_texts = direction(AXES[:1], shown, NOTHING, "text") @ AXES[1]
    towards_images = direction(AXES[:1], shown, NOTHING, "media") @ AXES[1]
    assert 0 < towards_texts < towards_images


def test_a_negative_example_pushes_away() -> None:
    against = Examples(AXES[1:2], np.zeros((0, DIM), np.float32))
    pushed = direction(unit(AXES[:1] + 0.5 * AXES[1]), NOTHING, against, "text")
    assert pushed @ AXES[1] < unit(AXES[0] + 0.5 * AXES[1]) @ AXES[1]


def test_nothing_said_is_nothing_given() -> None:
    assert not direction(np.zeros((0, DIM), np.float32), NOTHING, NOTHING, "text").any()
    silent = labeller(np.zeros((2, DIM), np.float32), threshold=0.01)
    assert not len(silent.give(texts(around(AXES[0], 10, 8))).post)


def test_no_posts_and_posts_without_any_part() -> None:
    one = labeller(AXES[:3], exclusive=True, threshold=0.01)
    assert one.probabilities(PostBatch.of([], [], DIM)).shape == (0, 3)
    assert not len(one.give(PostBatch.of([], [], DIM)).post)
    empty = PostBatch.of([None, None], [None, np.zeros((0, DIM), np.float32)], DIM)
    assert empty.kinds().tolist() == ["nothing", "nothing"]
    assert not one.probabilities(empty).any()
    assert not len(one.give(empty).post)


def test_labels_and_posts_that_are_all_one_vector() -> None:
    same = np.repeat(AXES[:1], 5, axis=0)
    scores = labeller(same, exclusive=True).probabilities(texts(same))
    assert np.isfinite(scores).all()
    assert np.ptp(scores) == pytest.approx(0, abs=1e-6)
    flat = LinearMap.of(same, "text", replace(calibration(), cohort_text=same))
    assert np.isfinite(flat.logits(same)).all()


@pytest.mark.parametrize("exclusive", [True, False])
def test_blocks_give_what_the_whole_gives_for_five_thousand_labels(exclusive: bool) -> None:
    labels = unit(np.random.default_rng(9).normal(size=(5_000, DIM)))
    many = labeller(labels, threshold=0.2, exclusive=exclusive)
    posts = texts(around(labels[17], 300, 10, spread=0.8))
    given = many.give(posts)
    scores = many.probabilities(posts)
    expected = np.argwhere(many.decide(scores, many.thresholds))
    assert np.stack([given.post, given.label], axis=1).tolist() == expected.tolist()
    assert given.score == pytest.approx(scores[given.post, given.label], abs=1e-4)
    kept, more = capped(given, 3)
    assert np.bincount(kept.post, minlength=300).max() <= 3
    assert more == (np.bincount(given.post, minlength=300) > 3).sum()


logit_rows = arrays.arrays(np.float32, (7, 4), elements=st.floats(-40, 40, width=32))


@given(logit_rows, arrays.arrays(np.float32, (7,), elements=st.floats(0, 40, width=32)), st.booleans(), st.booleans())
def test_probabilities_are_probabilities(logits: Floats, background: Floats, exclusive: bool, opened: bool) -> None:
    found = probabilities(logits, background, exclusive=exclusive, open=opened)
    assert ((found >= 0) & (found <= 1 + 1e-6)).all()
    if exclusive:
        assert (found.sum(axis=1) <= 1 + 1e-5).all()
    order = np.argsort(logits, axis=1, kind="stable")
    assert (np.diff(np.take_along_axis(found, order, axis=1), axis=1) >= -1e-6).all()


@given(arrays.arrays(np.float32, st.integers(1, 60), elements=st.floats(0, 1, width=16)), st.integers(0, 99))
@settings(deadline=None)
def test_no_other_threshold_has_a_better_f_half(scores: Floats, seed: int) -> None:
    truth = (np.random.default_rng(seed).random(len(scores)) < 0.4).astype(np.int8)

    def quality(threshold: float) -> float:
        said, has = scores >= threshold, truth == 1
        counts = [np.array([float(pairs.sum())]) for pairs in (said & has, said & ~has, ~said & has)]
        return float(f_half(*counts)[0])

    # Thresholds are kept within 0.01 and 0.999: what differs only beyond them cannot be told apart.
    scores = np.clip(scores, np.float32(0.02), np.float32(0.99))
    chosen = best_threshold(scores, truth)
    assert all(quality(chosen) >= quality(float(other)) - 1e-9 for other in np.unique(scores))


def judged(n: int, scale: float, seed: int = 0) -> Judged:
    """Judgements that agree with the logits, but for these being ``scale`` times too sure."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(scale=2, size=(n, 2)).astype(np.float32)
    truth = (rng.random((n, 2)) < 1 / (1 + np.exp(-honest))).astype(np.int8)
    return Judged((honest * scale).astype(np.float32), np.zeros(n, np.float32), truth, np.full(n, "text"))


def say(logits: Floats, background: Floats) -> Floats:
    return probabilities(logits, background, exclusive=False)


def test_what_is_too_sure_is_tempered_and_errs_less() -> None:
    sample = judged(2_000, 4.0)
    temper = fit_temper(sample, say, seed=1)
    assert temper.scale["text"] == pytest.approx(0.25, abs=0.08)
    before = calibration_error(reliability(say(sample.logits, sample.background), sample.truth))
    after = calibration_error(
        reliability(say(temper.apply(sample.logits, sample.kinds), sample.background), sample.truth)
    )
    assert after < before / 2


@pytest.mark.parametrize("truth", [-1, 0, 1])
def test_one_class_only_tempers_nothing(truth: int) -> None:
    sample = judged(50, 1.0)
    alone = Judged(sample.logits, sample.background, np.full_like(sample.truth, truth), sample.kinds)
    assert fit_temper(alone, say, seed=1) == Temper()
    assert calibration_error(reliability(say(alone.logits, alone.background), alone.truth)) >= 0


def test_intervals_hold_the_figure_and_shrink_with_more_posts() -> None:
    widths = []
    for n in (40, 4_000):
        sample = judged(n, 1.0)
        low, high = intervals(sample.logits > 0, sample.truth, np.arange(n), seed=1)[0]
        assert 0 <= low <= high <= 1
        widths.append(high - low)
    assert widths[1] < widths[0] / 4


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3)), max_size=60), st.integers(2, 6))
def test_groups_stay_whole_in_every_fold(rows: list[tuple[int, int]], folds: int) -> None:
    groups = np.array([group for group, _ in rows], np.intp)
    truth = np.eye(4, dtype=np.int8)[[label for _, label in rows]] if rows else np.zeros((0, 4), np.int8)
    fold = grouped_folds(groups, truth, folds=folds, seed=1)
    assert fold.shape == groups.shape
    assert all(len(set(fold[groups == group].tolist())) == 1 for group in set(groups.tolist()))


def test_a_rare_label_is_spread_over_the_folds() -> None:
    truth = np.zeros((100, 2), np.int8)
    truth[:90, 0], truth[90:95, 1] = 1, 1
    fold = grouped_folds(np.arange(100), truth, folds=5, seed=3)
    assert sorted(fold[90:95].tolist()) == [0, 1, 2, 3, 4]


def test_copies_are_found_by_words_by_vectors_and_through_others() -> None:
    step = np.arccos(0.98)
    chain = [np.cos(n * step) * AXES[0] + np.sin(n * step) * AXES[1] for n in range(4)]
    vectors = np.stack([*chain, AXES[5], AXES[6], np.zeros(DIM), np.zeros(DIM)]).astype(np.float32)
    found = copy_groups(vectors, ["a", "b", "c", "d", "same", "same", "", ""])
    assert len(set(found[:4].tolist())) == 1, "each is a copy of the next"
    assert found[4] == found[5]
    assert len({found[0], found[4], found[6], found[7]}) == 4
    assert copy_groups(np.zeros((0, DIM), np.float32), []).shape == (0,)
