"""What heads learn from words, beside vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from postscope.indexing.heads.estimators import MANY_A_LABEL, SOFTER, Recipe, fit_part, scores
from postscope.indexing.heads.features import Floats, PostFeatures
from postscope.indexing.heads.head import TrainedHead
from postscope.indexing.heads.inputs import InputMaker
from postscope.indexing.heads.training import judge, train
from tests.indexing.head_posts import DIM, posts, rng, silent


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


@pytest.mark.parametrize(("a_label", "weigh"), [(MANY_A_LABEL - 1, 1.0), (MANY_A_LABEL, SOFTER)])
def test_of_many_posts_words_are_heard_louder(a_label: int, weigh: float) -> None:
    source = rng()
    targets = (np.arange(2 * a_label) % 2).astype(np.float64)
    some = replace(
        posts(source, np.eye(DIM)[targets.astype(int)], spread=1.0),
        texts=[f"{'up' if n % 3 else 'down'} word{n % 5}" for n in range(len(targets))],
    )
    recipe = Recipe("letters")
    part = fit_part(some, targets, "classes", recipe, InputMaker.fit(some, "letters"), 1)
    plain = part.maker.matrix(some)
    as_fitted = np.ones(plain.shape[1])
    as_fitted[: 2 * DIM] = weigh
    bare = LogisticRegression(C=1.0, class_weight="balanced", max_iter=500).fit(plain.multiply(as_fitted), targets)
    assert np.allclose(scores(part, some, "classes", 2), bare.predict_log_proba(plain.multiply(as_fitted)), atol=0.01)
