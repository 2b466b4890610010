"""Heads as they learn: fair splits, honest thresholds, calibrated probabilities, nothing that a pickle could carry."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import skops.io
from hypothesis import example, given
from hypothesis import strategies as st

from postscope.indexing.heads.calibrating import fit_calibration
from postscope.indexing.heads.chance import standard_error
from postscope.indexing.heads.drift import Reference, expected_noise
from postscope.indexing.heads.estimators import Recipe, Task
from postscope.indexing.heads.features import Floats, Indices, Metadata, PostFeatures
from postscope.indexing.heads.head import Calibration, HeadUnreadable, TrainedHead, calibrated, fit_parts
from postscope.indexing.heads.measures import DEFAULT_THRESHOLD, best_thresholds, f_beta, label_measures
from postscope.indexing.heads.metadata import MetadataEncoder
from postscope.indexing.heads.named import LabelNames
from postscope.indexing.heads.splits import folds, hold_out
from postscope.indexing.heads.training import TooFewLabels, judge, train

DIM = 8


def posts(
    rng: np.random.Generator,
    centres: Floats,
    *,
    media: Sequence[bool] | None = None,
    metadata: Sequence[Metadata] | None = None,
    spread: float = 0.4,
) -> PostFeatures:
    """Posts around the given centres (n, DIM); those of ``media`` have an image and no text."""
    n = len(centres)
    vectors = centres + rng.normal(scale=spread, size=(n, DIM))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    pictured = np.array(media if media is not None else [False] * n)[:, np.newaxis]
    return PostFeatures(
        [f"post {i}" for i in range(n)],
        np.where(pictured, 0, vectors).astype(np.float32),
        np.where(pictured, vectors, 0).astype(np.float32),
        vectors,
        list(metadata if metadata is not None else [{} for _ in range(n)]),
        np.arange(n, dtype=np.float64),
        np.arange(n),
    )


def classes(rng: np.random.Generator, n: int, k: int = 3) -> tuple[PostFeatures, Floats]:
    targets = np.arange(n) % k
    return posts(rng, np.eye(DIM)[targets]), targets.astype(np.float64)


def silent(*_: object) -> None:
    """Nobody listens."""


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


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


def test_a_head_is_kept_and_read_again() -> None:
    some, targets = classes(rng(), 90)
    head = train(some, targets, ["a", "b", "c"], "classes", space="s", seed=1, tell=silent).head
    again = TrainedHead.loads(head.dumps())
    assert (again.labels, again.recipe, again.space) == (head.labels, head.recipe, "s")
    assert np.allclose(again.predict(some), head.predict(some))
    assert judge(again, some, targets)["macro_f1"] > 0.9


def test_a_head_of_an_earlier_release_is_read() -> None:
    some, targets = classes(rng(), 60)
    head = train(some, targets, ["a", "b", "c"], "classes", space="s", seed=1, tell=silent).head
    kept = skops.io.loads(head.dumps(), trusted=["scipy.sparse._csr.csr_matrix"])
    header = json.loads(kept["header"])
    header["recipe"] = header["recipe"][:4]  # as it was before names were examples
    again = TrainedHead.loads(skops.io.dumps(kept | {"header": json.dumps(header)}))
    assert np.allclose(again.predict(some), head.predict(some))


def test_a_head_of_words_without_pieces_as_earlier_releases_made_them_is_read() -> None:
    some, targets = classes(rng(), 60)
    recipe = Recipe("words")
    made = fit_parts(some, targets, "classes", recipe, 1)
    assert made[0].maker.idf is not None
    assert made[0].maker.idf.shape == (2**16,)
    made[0].model.densify()  # as models of words were kept
    head = TrainedHead("classes", ("a", "b", "c"), (0.5,) * 3, recipe, made, Calibration(), "s")
    again = TrainedHead.loads(head.dumps())
    assert np.allclose(again.predict(some), head.predict(some))
    assert judge(again, some, targets)["macro_f1"] > 0.9


def worded(source: np.random.Generator, targets: Floats, words: Sequence[str]) -> PostFeatures:
    """Posts whose vectors say nothing; each has a word of its class, misspelt in its own way, among others."""
    some = posts(source, np.zeros((len(targets), DIM)), spread=1.0)
    texts = [f"this is {words[int(n)]}{source.integers(10_000)} again" for n in targets]
    return replace(some, texts=texts)


def test_words_tell_what_vectors_do_not_and_pieces_know_them_misspelt() -> None:
    source = rng()
    targets = (np.arange(240) % 2).astype(np.float64)
    some = worded(source, targets, ["zorblax", "quintal"])
    trained = train(some, targets, ["a", "b"], "classes", space="s", seed=1, tell=silent)
    assert trained.report["recipe"].startswith("linear on letters")
    new = worded(source, targets, ["zorblax", "quintal"])
    assert judge(trained.head, new, targets)["macro_f1"] > 0.95, "no whole word of these was ever seen"
    data = trained.head.dumps()
    assert len(data) < 1_000_000
    assert np.array_equal(TrainedHead.loads(data).predict(new), trained.head.predict(new))


@pytest.mark.parametrize("task", ["tags", "classes", "number"])
def test_what_chance_makes_of_a_difference(task: Task) -> None:
    source = rng()
    targets = source.integers(0, 2, 400).astype(np.float64)
    noise = source.normal(scale=0.8, size=400)

    def said(noisy: Floats) -> Floats:
        value = targets + noisy
        if task == "number":
            return np.stack([value] * 3, axis=1)
        right = 1 / (1 + np.exp(4 * (0.5 - value)))
        return np.stack([1 - right, right], axis=1) if task == "classes" else right[:, np.newaxis]

    wanted = targets[:, np.newaxis] if task == "tags" else targets
    cut = np.array([0.5])
    groups = np.arange(400)
    one, other = said(noise), said(source.permutation(noise))

    def chance(a: Floats, b: Floats, of: Indices = groups) -> float:
        return standard_error(task, a, b, wanted, (cut, cut), of, 1)

    assert chance(one, one) == 0
    assert 0.01 < chance(one, other) < 0.3
    assert chance(one, other) == chance(one, other), "the same draws each time"
    assert chance(one, said(noise * 1.02)) < chance(one, other), "paired: what both get wrong is no difference"
    assert chance(one, other, groups // 8) > 0, "copies are drawn together"


def test_what_chance_may_have_made_is_no_reason_for_another_recipe() -> None:
    """Forty posts of noise: whatever does best on the folds does so by chance, so the first recipe mostly stays."""
    source = rng()
    targets = (np.arange(40) % 2).astype(np.float64)
    taken, luckier = [], 0
    for _ in range(8):
        some = posts(source, np.zeros((40, DIM)), spread=1.0)
        report = train(some, targets, ["a", "b"], "classes", space="s", seed=1, tell=silent).report
        taken.append(report["recipe"])
        luckier += report["compared"][0]["recipe"] != report["recipe"]
    assert taken.count("linear on letters, C=1, balanced") >= 6
    assert luckier >= 4, "the best on the folds is another one"


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06" + bytes(18), pickle.dumps({"header": "{}"})])
def test_bytes_that_are_no_head_are_refused(data: bytes) -> None:
    with pytest.raises(HeadUnreadable):
        TrainedHead.loads(data)


def test_types_that_a_head_does_not_have_are_refused_before_anything_is_built() -> None:
    class Stranger:
        def __init__(self) -> None:
            self.value = 1

    Stranger.__module__, Stranger.__qualname__ = "os", "system"
    with pytest.raises(HeadUnreadable):
        TrainedHead.loads(skops.io.dumps({"header": "{}", "parts": [Stranger()]}))


@pytest.mark.filterwarnings("error")
@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 6)), min_size=2, max_size=60))
def test_near_copies_never_straddle(rows: list[tuple[float, int]]) -> None:
    times, groups = np.array([t for t, _ in rows]), np.array([g for _, g in rows])
    strata = [str(g % 2) for g in groups]
    held = hold_out(times, groups, 0.2)
    assert sorted([*held.train.tolist(), *held.test.tolist()]) == list(range(len(rows)))
    _, found = folds(times, groups, strata, count=3, seed=1)
    for fold in [held, *found]:
        assert not set(groups[fold.train].tolist()) & set(groups[fold.test].tolist())


def test_by_time_the_past_predicts_the_future() -> None:
    times = np.arange(100.0)
    kind, found = folds(times, np.arange(100), ["a", "b"] * 50, count=4, seed=1)
    assert kind == "time"
    assert all(times[fold.train].max() < times[fold.test].min() for fold in found)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rare", [1, 2, 5])
def test_rare_strata_are_dealt_out_together(rare: int) -> None:
    strata = ["common"] * 30 + [f"rare {n}" for n in range(rare)]
    kind, found = folds(np.zeros(len(strata)), np.arange(len(strata)), strata, count=4, seed=1)
    assert (kind, len(found)) == ("groups", 4)
    assert sorted(np.concatenate([fold.test for fold in found]).tolist()) == list(range(len(strata)))
    in_tests = [sum(strata[n] != "common" for n in fold.test) for fold in found]
    assert max(in_tests) <= rare // 4 + 1


def test_posts_of_one_moment_are_dealt_out_by_groups() -> None:
    kind, found = folds(np.zeros(40), np.arange(40), ["a", "b"] * 20, count=4, seed=1)
    assert (kind, len(found)) == ("groups", 4)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b"]),
            st.one_of(st.none(), st.booleans(), st.floats(allow_nan=True), st.text(max_size=5)),
        ),
        max_size=30,
    )
)
def test_any_metadata_becomes_finite_numbers(rows: list[Metadata]) -> None:
    encoder = MetadataEncoder.fit([row for row in rows if all(v == v for v in row.values())])
    made = MetadataEncoder.from_json(encoder.to_json()).transform(rows)
    assert made.shape == (len(rows), encoder.width)
    assert np.isfinite(made).all()


def test_missing_metadata_is_the_median_and_says_so() -> None:
    encoder = MetadataEncoder.fit([{"n": float(v)} for v in (1, 2, 3, 4, 5)])
    missing, median, other = encoder.transform([{}, {"n": 3.0}, {"n": "three"}])
    assert missing[0] == median[0] == other[0]
    assert [missing[1], median[1], other[1]] == [1, 0, 1]


def test_a_rare_value_gets_no_column_and_an_unseen_one_is_all_zero() -> None:
    encoder = MetadataEncoder.fit([{"s": "x"}] * 5 + [{"s": "y"}] * 2)
    assert encoder.width == 1
    assert encoder.transform([{"s": "x"}, {"s": "y"}, {"s": "z"}]).tolist() == [[1], [0], [0]]


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
