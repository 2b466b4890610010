"""Which recipe learns these posts best: compared on folds, the dear ones only as long as they keep up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from postscope.indexing.heads.calibrating import fit_calibration
from postscope.indexing.heads.estimators import Recipe, Task, boosting_rounds
from postscope.indexing.heads.features import Floats, Indices, PostFeatures
from postscope.indexing.heads.head import calibrated, fit_parts, raw_scores
from postscope.indexing.heads.inputs import Fusion
from postscope.indexing.heads.measures import DEFAULT_THRESHOLD, best_thresholds, measure
from postscope.indexing.heads.named import LabelNames
from postscope.indexing.heads.splits import Fold

Tell = Callable[[int, int, str], None]
"""How far it is: steps done, steps in all, and what is being done. May raise to end the training."""
STRENGTHS = (0.1, 10.0)
"""Tried beside 1."""
FEWEST_A_LABEL = 50
"""Posts a label, on average, below which trees have nothing to split: boosting is not tried."""
BEHIND = 0.02
"""What boosting may lie behind the best linear model on the first fold, and still be tried on the others."""
AS_GOOD = 0.002
"""What folds of thousands of posts do not tell apart: a difference this small is no reason for a stranger recipe."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is to be learned.

    Attributes:
        posts: n labelled posts.
        targets: as ``fit_part`` takes them.
        labels: names of tags or classes; one empty name for a number.
        task: what is learned.
        names: of the labels, where they may help.
        seed: of whatever is random.
    """

    posts: PostFeatures
    targets: Floats
    labels: Sequence[str]
    task: Task
    names: LabelNames | None
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A recipe on the folds.

    Attributes:
        recipe: how.
        objective: on all folds that were tested, together.
        first: on the first fold alone.
        raw: scores of the posts of ``rows``, by models that had not seen them.
        rows: places of the posts.
        whole: all folds were tested; otherwise it was given up after the first.
    """

    recipe: Recipe
    objective: float
    first: float
    raw: Floats
    rows: Indices
    whole: bool


def compare(problem: Problem, folds: Sequence[Fold], tell: Tell) -> tuple[list[Tried], Tried]:
    """First the ways to fuse, then boosting, then how strongly to regularise the best linear model.

    Returns:
        All that were tried, in their order, and the one to take.
    """
    balanced = problem.task != "number"
    named = problem.names is not None
    linear = [Recipe(fusion, balanced=balanced, named=named) for fusion in _fusions(problem.posts)]
    boosting = _boosting(problem)
    steps = len(linear) + len(boosting) + len(STRENGTHS) + balanced + named + 2
    comparison = Comparison(problem, folds)

    def attempt(recipe: Recipe, keep_up_with: float | None = None) -> None:
        tell(len(comparison.tried), steps, recipe.name())
        comparison.attempt(recipe, keep_up_with=keep_up_with)

    for recipe in linear:
        attempt(recipe)
    best = comparison.best()
    for recipe in boosting:
        attempt(recipe, best.first)
    for strength in STRENGTHS:
        attempt(replace(best.recipe, strength=strength))
    if balanced:
        attempt(replace(best.recipe, balanced=False))
    if named:
        attempt(replace(best.recipe, named=False))
    return comparison.tried, comparison.best()


def _fusions(posts: PostFeatures) -> list[Fusion]:
    found: list[Fusion] = ["fused"]
    if posts.has_text.any():
        found.append("words")
    if posts.has_media.any():
        found.append("parts")
        if posts.has_text.any():
            found.append("late")
    return found


def _boosting(problem: Problem) -> list[Recipe]:
    enough = problem.task == "number" or len(problem.posts) >= FEWEST_A_LABEL * len(problem.labels)
    if not enough or not boosting_rounds(problem.targets, problem.task):
        return []
    fusion: Fusion = "parts" if problem.posts.has_media.any() else "fused"
    return [Recipe(fusion, "boosting", balanced=problem.task != "number")]


class Comparison:
    """Recipes that were tried, in their order."""

    def __init__(self, problem: Problem, folds: Sequence[Fold]) -> None:
        self.tried: list[Tried] = []
        self._problem = problem
        self._folds = folds

    def attempt(self, recipe: Recipe, *, keep_up_with: float | None = None) -> None:
        """Try a recipe on every fold; with ``keep_up_with`` only while its first fold is about as good as that."""
        raws: list[Floats] = []
        rows: list[Indices] = []
        first, whole = -np.inf, True
        for n, fold in enumerate(self._folds):
            raw = self._scores(recipe, fold)
            if raw is not None:
                raws.append(raw)
                rows.append(fold.test)
            if n == 0:
                first = self._objective(raws, rows)
                if keep_up_with is not None and first < keep_up_with - BEHIND:
                    whole = False
                    break
        labels = len(self._problem.labels)
        stacked = np.vstack(raws) if raws else np.zeros((0, labels))
        places = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        objective = first if not whole else self._objective(raws, rows)
        self.tried.append(Tried(recipe, objective, first, stacked, places, whole))

    def best(self) -> Tried:
        """The one to take: of those that are as good as the best, the one that was tried first. What is plainer comes
        first, and the rules of thumb about regularisation agree with it (Hastie et al. 2009, section 7.10)."""
        whole = [item for item in self.tried if item.whole]
        enough = max(item.objective for item in whole) - AS_GOOD
        return next(item for item in whole if item.objective >= enough)

    def _scores(self, recipe: Recipe, fold: Fold) -> Floats | None:
        problem = self._problem
        made = fit_parts(
            problem.posts.take(fold.train),
            problem.targets[fold.train],
            problem.task,
            recipe,
            problem.seed,
            problem.names,
        )
        return raw_scores(made, problem.posts.take(fold.test), problem.task, len(problem.labels)) if made else None

    def _objective(self, raws: Sequence[Floats], rows: Sequence[Indices]) -> float:
        if not raws:
            return -np.inf
        problem = self._problem
        raw, wanted = np.vstack(raws), problem.targets[np.concatenate(rows)]
        predictions = calibrated(raw, problem.task, fit_calibration(raw, wanted, problem.task))
        thresholds = thresholds_of(predictions, wanted, problem.task)
        return float(measure(problem.task, predictions, wanted, problem.labels, thresholds)["objective"])


def thresholds_of(predictions: Floats, targets: Floats, task: Task) -> Floats:
    """Shape (labels,): fitted for tags, the default otherwise."""
    if task != "tags":
        return np.full(predictions.shape[1] if task == "classes" else 1, DEFAULT_THRESHOLD)
    return best_thresholds(predictions, targets.astype(bool))
