"""The models that are tried, and how one is fitted and asked."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from postscope.indexing.heads.features import Floats, Indices, PostFeatures
from postscope.indexing.heads.inputs import Fusion, InputMaker, Matrix
from postscope.indexing.heads.words import taught_columns

Task: TypeAlias = Literal["tags", "classes", "number"]
"""``tags``: any number of labels a post. ``classes``: one of several. ``number``: a quantity."""
Kind: TypeAlias = Literal["linear", "boosting"]

MOST_TREES = 2_400
"""Of a boosting, which is what its time grows with: with many classes, each of which has a tree a round, there are
fewer rounds."""
ROUNDS = (20, 120)
"""With fewer rounds than the first boosting has learned nothing; more than the second change nothing."""
COMPONENTS = 48
"""Principal components that boosting sees of the vectors: trees split one column at a time, and vectors have many."""
FEW_POSTS = 4_000
MANY_A_LABEL = 500
"""Posts a label, on average, that teach words well enough to be heard louder than vectors."""
SOFTER = 0.7
"""What vectors weigh then; as long as posts are fewer, they and the words weigh the same."""
FAR = 30.0
"""Logits are kept within this: beyond it a probability is 0 or 1 in any case."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One combination that is tried.

    Attributes:
        fusion: which vectors go in, and how.
        kind: ``linear`` (logistic or ridge regression) or ``boosting`` (histogram gradient boosting).
        strength: inverse of the regularisation of a linear model.
        balanced: rare classes weigh as much as frequent ones.
        named: the labels' names are examples too.
    """

    fusion: Fusion
    kind: Kind = "linear"
    strength: float = 1.0
    balanced: bool = True
    named: bool = False

    def name(self) -> str:
        """As a report shows it."""
        weights = (", balanced" if self.balanced else "") + (", names as examples" if self.named else "")
        return f"{self.kind} on {self.fusion}" + (f", C={self.strength:g}" if self.kind == "linear" else "") + weights


@dataclass(frozen=True, slots=True, eq=False)
class FittedPart:
    """A fitted model with what makes its input. ``components``: shape (COMPONENTS, d) for boosting, else None."""

    maker: InputMaker
    model: Any
    components: Floats | None
    centre: Floats | None


def fit_part(
    posts: PostFeatures, targets: Floats, task: Task, recipe: Recipe, maker: InputMaker, seed: int
) -> FittedPart:
    """Fit one model.

    Args:
        posts: n training posts.
        targets: of ``tags`` shape (n, k) of 0 and 1; of ``classes`` shape (n,) of class numbers; of ``number`` shape
            (n,).
        task: what is learned.
        recipe: how.
        maker: fitted on these posts.
        seed: of whatever is random.
    """
    components = centre = None
    if recipe.kind == "boosting":
        components, centre = _principal(maker.dense(posts)[:, : maker.vector_columns(posts)])
    matrix = _columns(maker, posts, components, centre)
    model = _model(task, recipe, seed, boosting_rounds(targets, task))
    from threadpoolctl import threadpool_limits

    # Threads that wait for each other cost more than they give while there is little to do, or where it is sparse.
    threads = 1 if len(posts) < FEW_POSTS or maker.idf is not None else None
    with warnings.catch_warnings(), threadpool_limits(threads):
        # A model that has not wholly converged is still judged by what it predicts.
        warnings.simplefilter("ignore")
        if maker.idf is None:
            model.fit(matrix, targets)
        else:
            seen = taught_columns(matrix)
            loud = np.ones(len(seen), np.float32)
            loud[seen < maker.vector_columns(posts)] = _vectors_weigh(targets, task)
            model.fit(matrix[:, seen].multiply(loud).tocsr(), targets)
            _widen(model, seen, loud, matrix.shape[1])
    return FittedPart(maker, model, components, centre)


def _vectors_weigh(targets: Floats, task: Task) -> float:
    if task == "number":
        return 1.0
    labels = targets.shape[1] if task == "tags" else len(np.unique(targets))
    return SOFTER if len(targets) >= MANY_A_LABEL * labels else 1.0


def _widen(model: Any, seen: Indices, loud: npt.NDArray[np.float32], width: int) -> None:
    """A model of some columns becomes one of all, as they are: what it was not taught weighs nothing, and is not kept.

    Args:
        model: fitted on the columns of ``seen``.
        seen: their places.
        loud: shape (seen,), what each was multiplied by.
        width: of all columns.
    """
    from scipy.sparse import csr_matrix

    for one in getattr(model, "estimators_", [model]):
        if not hasattr(one, "coef_"):
            continue  # it stands for a label that all posts have, or none
        known = np.atleast_2d(one.coef_) * loud
        rows, columns = np.repeat(np.arange(len(known)), len(seen)), np.tile(seen, len(known))
        wide = csr_matrix((known.ravel(), (rows, columns)), shape=(len(known), width))
        one.coef_ = wide if one.coef_.ndim == 2 else wide.toarray()[0]
        one.n_features_in_ = width
    model.n_features_in_ = width


def scores(part: FittedPart, posts: PostFeatures, task: Task, width: int) -> Floats:
    """What a model says: logits (n, width) of tags, log-probabilities (n, width) of classes, numbers (n, 1)."""
    if not len(posts):
        return np.zeros((0, width))
    matrix = _columns(part.maker, posts, part.components, part.centre)
    if task == "number":
        return np.asarray(part.model.predict(matrix), dtype=np.float64).reshape(-1, 1)
    probabilities = np.asarray(part.model.predict_proba(matrix), dtype=np.float64)
    if task == "classes":
        # A class that training had none of cannot be predicted.
        full = np.full((len(posts), width), np.exp(-FAR))
        full[:, np.asarray(part.model.classes_, dtype=np.int64)] = probabilities
        return np.asarray(np.log(np.clip(full, np.exp(-FAR), 1.0)))
    clipped = np.clip(probabilities, 1e-12, 1 - 1e-12)
    return np.asarray(np.clip(np.log(clipped / (1 - clipped)), -FAR, FAR))


def _columns(maker: InputMaker, posts: PostFeatures, components: Floats | None, centre: Floats | None) -> Matrix:
    if components is None or centre is None:
        return maker.matrix(posts)
    dense = maker.dense(posts)
    cut = components.shape[1]
    return np.hstack([(dense[:, :cut] - centre) @ components.T, dense[:, cut:]])


def _principal(vectors: Floats) -> tuple[Floats, Floats]:
    """Directions of vectors and their mean, by eigenvectors: no seed."""
    centre = vectors.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(vectors - centre, rowvar=False))
    kept = directions[:, ::-1][:, :COMPONENTS].T
    # The sign of an eigenvector is arbitrary: its largest entry is positive.
    signs = np.sign(kept[np.arange(len(kept)), np.abs(kept).argmax(axis=1)])
    return kept * signs[:, np.newaxis], centre


def boosting_rounds(targets: Floats, task: Task) -> int:
    """Rounds of boosting on these targets; 0 where there are so many labels that it would take too long."""
    trees = 1 if task == "number" else targets.shape[1] if task == "tags" else max(1, len(np.unique(targets)))
    fewest, most = ROUNDS
    possible = MOST_TREES // max(1, trees)
    return min(most, possible) if possible >= fewest else 0


def _model(task: Task, recipe: Recipe, seed: int, rounds: int) -> Any:
    weight = "balanced" if recipe.balanced else None
    if recipe.kind == "boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        shape = {"max_iter": max(rounds, ROUNDS[0]), "learning_rate": 0.08, "max_leaf_nodes": 15, "random_state": seed}
        if task == "number":
            return HistGradientBoostingRegressor(**shape)
        model: Any = HistGradientBoostingClassifier(**shape, class_weight=weight)
    elif task == "number":
        from sklearn.linear_model import Ridge

        return Ridge(alpha=1.0 / recipe.strength)
    else:
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=recipe.strength, class_weight=weight, max_iter=500)
    if task == "tags":
        from sklearn.multiclass import OneVsRestClassifier

        return OneVsRestClassifier(model)
    return model
