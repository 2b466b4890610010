"""Which new cluster is which old topic: one optimal assignment, and what became of the rest.

Clusters and topics are compared by the posts that they share and by their centres. The assignment that maximises the
sum of likenesses (Kuhn 1955, by Jonker and Volgenant) gives each cluster at most one topic and each topic at most one
cluster; what follows names the births, merges, splits and deaths (after Greene, Doyle and Cunningham 2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
EventKind = Literal["birth", "continue", "merge", "split", "death"]

SHARED: Final = 0.7
"""How much shared posts count against the nearness of centres, where both are known."""
LEAST: Final = 0.3
"""A cluster less like a topic than this is not that topic."""
NEAR: Final = 0.8
"""Cosine of centres from which a cluster is a topic that it shares no posts with."""
MOST: Final = 0.5
"""Share of a topic's posts that make its end in another a merge, of a cluster's posts that make it a split."""


@dataclass(frozen=True, slots=True)
class Event:
    """What became of topic ``old`` or how cluster ``new`` came about; both for a continuation.

    For a merge ``new`` is the cluster that took ``old`` in; for a split ``old`` is the topic that ``new`` was part of.
    """

    kind: EventKind
    old: int | None
    new: int | None
    overlap: float | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Matching:
    """``topic_of`` has, for each new cluster, the place of its old topic or None; ``events`` all that happened."""

    topic_of: list[int | None]
    events: list[Event]


def likeness(shared: Matrix, old_sizes: Matrix, new_sizes: Matrix, cosines: Matrix) -> Matrix:
    """How much each of k old topics is each of m new clusters, 0 to 1.

    Args:
        shared: (k, m) posts that were in the one and are in the other.
        old_sizes: (k,) posts of the old topic that were clustered again.
        new_sizes: (m,) posts of the new cluster that belonged to any topic before.
        cosines: (k, m) of the centres.

    The shared part is the geometric mean of both shares (Ochiai), so that neither a topic that was swallowed nor a
    splinter passes for the whole. Without any posts in common only centres that are very near count.
    """
    both = np.sqrt(old_sizes[:, None] * new_sizes[None, :])
    ochiai = np.divide(shared, both, out=np.zeros_like(shared, np.float64), where=both > 0)
    near = np.clip(cosines, 0.0, 1.0)
    together = SHARED * ochiai + (1 - SHARED) * near
    gone = (old_sizes[:, None] == 0) | (new_sizes[None, :] == 0)
    return np.where(gone, np.where(near >= NEAR, near * 0.9, 0.0), np.where(shared > 0, together, 0.0))


def match(shared: Matrix, old_sizes: Matrix, new_sizes: Matrix, cosines: Matrix) -> Matching:
    """The best one-to-one assignment of clusters to topics, and the events; arguments as of ``likeness``."""
    from scipy.optimize import linear_sum_assignment

    alike = likeness(shared, old_sizes, new_sizes, cosines)
    topic_of: list[int | None] = [None] * alike.shape[1]
    for old, new in zip(*linear_sum_assignment(alike, maximize=True), strict=True):
        if alike[old, new] >= LEAST:
            topic_of[int(new)] = int(old)
    return Matching(topic_of, _events(topic_of, shared, old_sizes, new_sizes, cosines))


def _events(
    topic_of: list[int | None], shared: Matrix, old_sizes: Matrix, new_sizes: Matrix, cosines: Matrix
) -> list[Event]:
    events: list[Event] = []
    for new, old in enumerate(topic_of):
        if old is not None:
            overlap = _share(shared[old, new], old_sizes[old])
            events.append(Event("continue", old, new, overlap, float(cosines[old, new])))
            continue
        events.append(Event("birth", None, new))
        if len(shared) and new_sizes[new]:
            source = int(shared[:, new].argmax())
            if shared[source, new] >= MOST * new_sizes[new]:
                overlap = _share(shared[source, new], old_sizes[source])
                events.append(Event("split", source, new, overlap, float(cosines[source, new])))
    for old in sorted(set(range(len(shared))) - {old for old in topic_of if old is not None}):
        events.append(Event("death", old, None))
        if shared.shape[1] and old_sizes[old]:
            target = int(shared[old].argmax())
            if shared[old, target] >= MOST * old_sizes[old]:
                overlap = _share(shared[old, target], old_sizes[old])
                events.append(Event("merge", old, target, overlap, float(cosines[old, target])))
    return events


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
