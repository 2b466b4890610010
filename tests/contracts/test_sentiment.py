"""The contract of ``SentimentScorer``, held by every implementation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from postscope.indexing.sentiment.base import SentimentScorer, SentimentUnavailable
from postscope.indexing.sentiment.others import LexiconScorer, TransformersScorer
from postscope.indexing.sentiment.phrases import fit, open_phrases
from postscope.indexing.types import Vector
from tests.workers.small_encoder import SPACE, vectors

TEXTS = [
    "I love this, it is wonderful",
    "the worst, I hate it",
    "it opens at nine",
    "x",
    "😀",
    "كل شيء جميل",
    "a" * 9_000,
]


def encoded(texts: Sequence[str]) -> np.ndarray:
    return vectors([text.encode() for text in texts])


@pytest.fixture(params=["phrases", "lexicon"])
def scorer(request: pytest.FixtureRequest) -> SentimentScorer:
    if request.param == "phrases":
        return open_phrases(SPACE, encoded)
    pytest.importorskip("vaderSentiment", reason="the extra 'sentiment' is not installed")
    return LexiconScorer()


def test_shares_sum_to_one_and_do_not_depend_on_the_batch(scorer: SentimentScorer) -> None:
    rows: list[Vector | None] = list(encoded(TEXTS))
    together = scorer.score(TEXTS, rows)
    assert together.shape == (len(TEXTS), 3)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)
    assert (together >= 0).all()
    for n, text in enumerate(TEXTS):
        np.testing.assert_array_equal(scorer.score([text], [rows[n]])[0], together[n])


def test_nothing_gives_nothing(scorer: SentimentScorer) -> None:
    assert scorer.score([], []).shape == (0, 3)
    found = scorer.score(["", " \n", "fine"], [None, None, encoded(["fine"])[0]])
    assert np.isnan(found[:2]).all()
    assert not np.isnan(found[2]).any()


def test_it_says_who_it_is(scorer: SentimentScorer) -> None:
    assert scorer.id == scorer.id
    assert scorer.id


def test_the_phrase_head_knows_its_own_phrases_and_needs_vectors() -> None:
    head = open_phrases(SPACE, encoded)
    text = "Best flight ever, lovely crew and we landed early, thank you so much"
    assert head.score([text], list(encoded([text])))[0].argmax() == 2
    assert np.isnan(head.score([text], [None])).all()


def test_the_fit_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(1)
    rows, labels = random.normal(size=(90, 8)).astype(np.float32), random.integers(0, 3, 90)
    weights, offset = fit(rows, labels, 3)
    theirs = LogisticRegression(C=1.0, tol=1e-8, max_iter=2_000).fit(rows, labels)
    mine = rows @ weights.T + offset
    other = rows @ theirs.coef_.T + theirs.intercept_
    np.testing.assert_allclose(mine - mine.mean(1, keepdims=True), other - other.mean(1, keepdims=True), atol=2e-3)


def test_a_model_that_is_not_there_says_so(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    with pytest.raises(SentimentUnavailable, match="cannot be opened"):
        TransformersScorer("/no/such/folder", tmp_path)
