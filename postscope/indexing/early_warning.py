"""Bursts around a post: is it in a tight group of recent posts that its surroundings in the space do not explain?

Around every new post the recent posts and those of the weeks before are ordered by their cosine. If nothing happens,
both come from one distribution, so a ball that holds K of N older posts should hold about K / N of the recent ones,
whatever the space and however dense it is there; the stream's rhythm cancels, as both are shares of what was posted.
The number of recent posts in the ball is then negative binomial with K and that share (the k-nearest-neighbour two
sample test of Schilling 1986, "Multivariate two-sample tests based on nearest neighbors", asked at one place; scanned
over radii and windows as in Kulldorff 1997, "A spatial scan statistic"). The rate of a place moves by itself, so a
relative ``DISPERSION`` widens it. Near-copies, and further posts of one author, count once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postscope.indexing.bursts import Prediction
from postscope.indexing.types import Vector, Vectors

Floats = npt.NDArray[np.float64]

WINDOWS = (2.0, 8.0, 24.0, 72.0)
"""Hours: a sudden burst shows in a short one, a slow one in a long one."""
RECENT_HOURS = WINDOWS[-1]
HISTORY_HOURS = 28 * 24.0
GROUPS = (6, 8, 12, 16, 24, 32, 48, 64)
"""Sizes of group that are tried; the smallest is the least that can be a burst."""
LEAST_GROUP = GROUPS[0]
MOST_NEIGHBOURS = 96
LOOSEST = 0.25
"""Cosine, centred: posts farther apart than this are no tight group."""
COPY = 0.95
"""Cosine from which two posts say the same with other spelling."""
DISPERSION = 0.1
UNSEEN = 0.5
"""Older posts that a place is given where none was seen (Jeffreys' prior of a Poisson rate)."""
LEAST_HISTORY = 200
"""Older posts without which nothing can be told."""
BASE_SCORE = 1.5
"""What a score must have beyond the number of tests, since the places of a space are not independent. Set on streams
that no figure is reported of (``trend_replay``)."""
SAME = 0.7
"""Cosine of the centres from which a group is taken for one that was found within ``RECENT_HOURS``. Shared members
would not do: the outer posts of one burst chain it to the next."""
FEW_AUTHORS = 0.3
FEW_TEXTS = 0.5


@dataclass(frozen=True, slots=True)
class Around:
    """What lies around a post.

    Attributes:
        scores: cosines of recent posts, the post itself among them, falling, shape (n,).
        ages: how many hours older each is than the post, shape (n,).
        history: cosines of older posts, falling, shape (m,); those below the last of ``scores`` may be left out.
        volumes: for each of ``WINDOWS``, posts of the whole stream in it.
        history_volume: posts of the whole stream before.
    """

    scores: Floats
    ages: Floats
    history: Floats
    volumes: Mapping[float, int]
    history_volume: int


@dataclass(frozen=True, slots=True)
class Group:
    """The most surprising group around a post.

    Attributes:
        score: -log10 of the probability.
        window: hours.
        members: places in ``Around.scores``.
        radius: cosine of the outermost.
        prediction: of how many there would be, the post itself left out.
    """

    score: float
    window: float
    members: tuple[int, ...]
    radius: float
    prediction: Prediction


def assess(around: Around) -> Group | None:
    """The most surprising group around the post; None where there is none or too little history to tell."""
    if around.history_volume < LEAST_HISTORY:
        return None
    best: Group | None = None
    for window in WINDOWS:
        inside = np.flatnonzero(around.ages <= window)
        volume = around.volumes[window]
        for size in GROUPS:
            if size > len(inside) or around.scores[inside[size - 1]] < LOOSEST:
                break
            radius = float(around.scores[inside[size - 1]])
            older = int(np.searchsorted(-around.history, -radius, side="right")) + UNSEEN
            found = Prediction(older * volume / around.history_volume, 1 / (1 / older + DISPERSION))
            if size - 1 <= 2 * found.mean + 3:  # no burst, whatever the probability says
                continue
            score = -math.log10(found.at_least(size - 1))
            if best is None or score > best.score:
                best = Group(score, window, tuple(int(place) for place in inside[:size]), radius, found)
    return best


def needed_score(posts_a_day: float, budget: float) -> float:
    """The score from which on a group is raised, for ``budget`` false alarms a day."""
    return BASE_SCORE + math.log10(max(posts_a_day, 1.0) / budget)


def distinct(vectors: Vectors, authors: Sequence[str | None]) -> npt.NDArray[np.bool_]:
    """Which of these posts (n, dim), in their order, say something of their own: not a near-copy of one before, nor
    by an author of one before."""
    kept = np.zeros(len(authors), np.bool_)
    seen: set[str] = set()
    alike = vectors @ vectors.T
    for n, author in enumerate(authors):
        if author is not None and author in seen:
            continue
        if kept.any() and float(alike[n, kept].max()) >= COPY:
            continue
        kept[n] = True
        if author is not None:
            seen.add(author)
    return kept


def without(around: Around, kept: npt.NDArray[np.bool_]) -> Around:
    """The same with some recent posts left out."""
    return Around(around.scores[kept], around.ages[kept], around.history, around.volumes, around.history_volume)


def centre_of(vectors: Vectors) -> Vector:
    """The mean direction of a group (n, dim), of unit length."""
    mean = vectors.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


def same_as(centre: Vector, others: Sequence[Vector]) -> int | None:
    """Which of the groups that are known is this one, by their centres (each (dim,)); None where it is a new one."""
    if not others:
        return None
    alike = np.stack(others) @ centre
    best = int(alike.argmax())
    return best if alike[best] >= SAME else None


def marks_of(vectors: Vectors, authors: Sequence[str | None]) -> list[str]:
    """Why a group may not be what it seems: ``single_author`` where few authors made it, ``near_copies`` where most
    of it says the same."""
    found = []
    known = {author for author in authors if author is not None}
    if None not in authors and len(known) <= max(1, FEW_AUTHORS * len(authors)):
        found.append("single_author")
    own = distinct(vectors, [None] * len(authors))
    if own.sum() <= max(1, FEW_TEXTS * len(authors)):
        found.append("near_copies")
    return found
