"""Which recipe learns these posts best: compared on folds, the dear ones only as long as they keep up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from postscope.indexing.heads.calibrating import fit_calibration
from postscope.indexing.heads.chance import standard_error
from postscope.indexing.heads.estimators import Recipe, Task, boosting_rounds
from postscope.indexing.heads.features import Floats, Indices, PostFeatures
from postscope.indexing.heads.head import calibrated, fit_parts, raw_scores
from postscope.indexing.heads.inputs import WORDS, Fusion
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
"""What a recipe may lie behind the best of the first ones on the first fold, and still be tried on the others."""
DOUBT = 2.0
"""Standard errors by which a recipe must do better than one that was tried before it."""
DOUBT_OF_NAMES = 1.0
"""The same for going without names: what they say of labels is only a guess."""


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
        predictions: calibrated scores of the posts of ``rows``.
        thresholds: of tags, fitted on these.
        raw: scores of the posts of ``rows``, by models that had not seen them.
        rows: places of the posts.
        whole: all folds were tested; otherwise it was given up after the first.
    """

    recipe: Recipe
    objective: float
    first: float
    predictions: Floats
    thresholds: Floats
    raw: Floats
    rows: Indices
    whole: bool


def compare(problem: Problem, folds: Sequence[Fold], tell: Tell) -> tuple[list[Tried], Tried]:
    """First the ways to fuse, then boosting, then how strongly to regularise the best linear model. All but the ways to
    fuse are given up after the first fold where they fall behind.

    Returns:
        All that were tried, in their order, and the one to take.
    """
    balanced = problem.task != "number"
    named = problem.names is not None
    fusions = _fusions(problem.posts)
    linear = [Recipe(fusion, balanced=balanced, named=named) for fusion in fusions]
    boosting = _boosting(problem)
    steps = len(linear) + len(boosting) + len(STRENGTHS) + balanced + named + 2
    comparison = Comparison(problem, folds)
    for kind in {kind for fusion in fusions for kind in WORDS.get(fusion, ())}:
        problem.posts.counts(kind)  # once for all folds

    def attempt(recipe: Recipe, keep_up_with: float | None = None) -> None:
        tell(len(comparison.tried), steps, recipe.name())
        comparison.attempt(recipe, keep_up_with=keep_up_with)

    for recipe in linear:
        attempt(recipe)
    best = comparison.best()
    others = [*boosting, *(replace(best.recipe, strength=strength) for strength in STRENGTHS)]
    if balanced:
        others.append(replace(best.recipe, balanced=False))
    if named:
        others.append(replace(best.recipe, named=False))
    for recipe in others:
        attempt(recipe, best.first)
    return comparison.tried, comparison.best()


def _fusions(posts: PostFeatures) -> list[Fusion]:
    """Words first: they know names and jargon that vectors do not, and cost nothing where vectors know better."""
    found: list[Fusion] = ["letters", "fused"] if posts.has_text.any() else ["fused"]
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
            if n == 0 and raw is not None:
                first = self._objective(*self._decided(raw, fold.test), fold.test)
            if n == 0 and keep_up_with is not None and first < keep_up_with - BEHIND:
                whole = False
                break
        self.tried.append(self._told(recipe, first, raws, rows, whole=whole))

    def best(self) -> Tried:
        """The one to take: of those that chance does not tell from the best, the one that was tried first.

        It is the rule of one standard error (Breiman et al. 1984; Hastie et al. 2009, section 7.10), but of
        ``DOUBT``, since the best of many is lucky. With few posts, chance would choose otherwise.
        """
        whole = [item for item in self.tried if item.whole]
        top = max(whole, key=lambda item: item.objective)
        return next(item for item in whole if item.objective >= top.objective - self._chance(item, top))

    def _chance(self, one: Tried, other: Tried) -> float:
        """What the one may lie behind the other by chance, on the posts that both were tested on."""
        if one is other:
            return 0.0
        doubt = DOUBT_OF_NAMES if one.recipe.named and not other.recipe.named else DOUBT
        problem = self._problem
        rows, *places = np.intersect1d(one.rows, other.rows, return_indices=True)
        if not len(rows):
            return 0.0
        found = [item.predictions[place] for item, place in zip((one, other), places, strict=True)]
        targets, groups = problem.targets[rows], problem.posts.groups[rows]
        cuts = one.thresholds, other.thresholds
        return doubt * standard_error(problem.task, found[0], found[1], targets, cuts, groups, problem.seed)

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

    def _told(
        self, recipe: Recipe, first: float, raws: Sequence[Floats], rows: Sequence[Indices], *, whole: bool
    ) -> Tried:
        problem = self._problem
        raw = np.vstack(raws) if raws else np.zeros((0, len(problem.labels)))
        places = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        predictions, thresholds = self._decided(raw, places)
        objective = self._objective(predictions, thresholds, places)
        return Tried(recipe, objective, first, predictions, thresholds, raw, places, whole)

    def _decided(self, raw: Floats, rows: Indices) -> tuple[Floats, Floats]:
        """Predictions and thresholds, fitted on these scores themselves."""
        problem = self._problem
        wanted = problem.targets[rows]
        predictions = calibrated(raw, problem.task, fit_calibration(raw, wanted, problem.task))
        return predictions, thresholds_of(predictions, wanted, problem.task)

    def _objective(self, predictions: Floats, thresholds: Floats, rows: Indices) -> float:
        if not len(rows):
            return -np.inf
        problem = self._problem
        found = measure(problem.task, predictions, problem.targets[rows], problem.labels, thresholds)
        return float(found["objective"])


def thresholds_of(predictions: Floats, targets: Floats, task: Task) -> Floats:
    """Shape (labels,): fitted for tags, the default otherwise."""
    if task != "tags":
        return np.full(predictions.shape[1] if task == "classes" else 1, DEFAULT_THRESHOLD)
    return best_thresholds(predictions, targets.astype(bool))
