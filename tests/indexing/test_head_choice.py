"""How a recipe is chosen: chance is no reason for another one."""

from __future__ import annotations

import numpy as np
import pytest

from postscope.indexing.heads.chance import standard_error
from postscope.indexing.heads.estimators import Task
from postscope.indexing.heads.features import Floats, Indices
from postscope.indexing.heads.training import train
from tests.indexing.head_posts import DIM, posts, rng, silent


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
