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

from postscope.indexing.bursts import Prediction, tails
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
STREAM_SHARE, SWEEP_SHARE = 0.75, 0.25
"""Of the false alarms a day: what the surroundings of new posts may raise, and the counts of known topics."""
PAUSE_HOURS = 12.0
"""A burst that was quiet for as long as a night still goes on."""
SAME = 0.7
"""Cosine of the centres from which a group is taken for one that was found within ``RECENT_HOURS``. Shared members
would not do: the outer posts of one burst chain it to the next."""
COOL_DOWN_HOURS, SAME_WHILE_HOT = 24.0, 0.6
"""While a burst was seen within so many hours this cosine is enough: what people say of one matter gathers in several
groups, and each would be an alert of its own. Lower ones, and longer pauses, take one burst for another."""
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
    places = {window: np.flatnonzero(around.ages <= window) for window in WINDOWS}
    tried = [
        (window, size, float(around.scores[inside[size - 1]]))
        for window, inside in places.items()
        for size in GROUPS
        if size <= len(inside) and around.scores[inside[size - 1]] >= LOOSEST
    ]
    if not tried:
        return None
    posts = np.array([size for _, size, _ in tried])
    radii = np.array([radius for _, _, radius in tried])
    older = np.searchsorted(-around.history, -radii, side="right") + UNSEEN
    means = older * [around.volumes[window] for window, _, _ in tried] / around.history_volume
    shapes = 1 / (1 / older + DISPERSION)
    scores = -np.log10(tails(posts - 1, means, shapes))
    scores[posts - 1 <= 2 * means + 3] = -1.0  # no burst, whatever the probability says
    best = int(scores.argmax())
    if scores[best] < 0:
        return None
    window, size, radius = tried[best]
    members = tuple(int(place) for place in places[window][:size])
    return Group(float(scores[best]), window, members, radius, Prediction(float(means[best]), float(shapes[best])))


def needed_score(posts_a_day: float, budget: float) -> float:
    """The score from which on a group is raised, for ``budget`` false alarms a day."""
    return BASE_SCORE + math.log10(max(posts_a_day, 1.0) / budget)


def distinct(vectors: Vectors, authors: Sequence[str | None]) -> npt.NDArray[np.bool_]:
    """Which of these posts (n, dim), in their order, say something of their own: not a near-copy of one before, nor
    by an author of one before."""
    kept = np.zeros(len(authors), np.bool_)
    seen: set[str] = set()
    alike: npt.NDArray[np.bool_] = np.greater_equal(np.asarray(vectors @ vectors.T, np.float64), COPY)
    repeats = np.asarray(np.tril(alike, -1).any(axis=1))  # of one before it
    for n, author in enumerate(authors):
        if author is not None and author in seen:
            continue
        if repeats[n] and (alike[n] & kept).any():
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


def same_as(centre: Vector, others: Sequence[Vector], quiet: Sequence[float]) -> int | None:
    """Which of the groups that are known is this one; None where it is a new one.

    Args:
        centre: of the group, (dim,).
        others: centres of those that were seen within ``RECENT_HOURS``.
        quiet: hours since each of them was last seen.
    """
    if not others:
        return None
    alike = np.stack(others) @ centre
    needed = np.where(np.asarray(quiet) <= COOL_DOWN_HOURS, SAME_WHILE_HOT, SAME)
    best = int(np.where(alike >= needed, alike, -2.0).argmax())
    return best if alike[best] >= needed[best] else None


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
