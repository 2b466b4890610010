"""Heads as they are kept: read again, from earlier releases too, and nothing that a pickle could carry."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import skops.io

from postscope.indexing.heads.estimators import Recipe
from postscope.indexing.heads.head import Calibration, HeadUnreadable, TrainedHead, fit_parts
from postscope.indexing.heads.training import judge, train
from tests.indexing.head_posts import classes, rng, silent


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
