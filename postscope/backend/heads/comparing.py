"""A version against the live one, on the same posts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select

from postscope.backend.errors import Conflict
from postscope.backend.heads import registry
from postscope.backend.heads.learning import Lesson, lesson
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Head, HeadVersion
from postscope.indexing.heads.features import Floats, Indices
from postscope.indexing.heads.head import TrainedHead
from postscope.indexing.heads.splits import hold_out
from postscope.indexing.heads.training import HELD_OUT, judge

ENOUGH = 20
"""Fewer posts that the live version was not taught decide nothing; then all held-out posts are taken."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``better``: whether the version may go live; ``reason`` says why in words.

    ``live_was_taught`` counts posts among those compared on that the live version had learned from, which flatters it.
    """

    better: bool
    reason: str
    posts: int
    objective: float | None
    live_objective: float | None
    live_was_taught: int

    def as_dict(self) -> dict[str, object]:
        """For the audit log and the API."""
        return {name: getattr(self, name) for name in self.__slots__}


def compare(runtime: Runtime, head: Head, number: int) -> Comparison:
    """Judge a version, as it was before it learned from the held-out posts, beside the live one.

    Raises:
        NotFound: there is no such version.
        Conflict: ``wrong_space``: the version reads vectors of a space that is not live.
    """
    with runtime.database.session() as session:
        version = registry.get(session, head, number)
        live = registry.in_state(session, head, "live")
    if version.space_id != runtime.live.encoder.space.id:
        raise Conflict(f"version {number} belongs to the space {version.space_id}: train it again", code="wrong_space")
    if live is None or live.id == version.id:
        return Comparison(True, "there is no other live version", 0, None, None, 0)
    if live.space_id != version.space_id:
        return Comparison(True, "the live version belongs to a space that is not live any more", 0, None, None, 0)
    found = lesson(runtime, head)
    rows, taught = _fair(runtime, found, live.id)
    if not len(rows):
        return Comparison(False, "there are no posts to compare on", 0, None, None, 0)
    ours = _objective(runtime, version.id, "judged", found, rows)
    theirs = _objective(runtime, live.id, "model", found, rows)
    if ours is None or theirs is None:
        # Other labels: what one says, the other cannot, so there is nothing to compare by but the posts' labels now.
        return Comparison(theirs is None, "the two know other labels", len(rows), ours, theirs, taught)
    words = f"{ours:.4f} against {theirs:.4f} on {len(rows)} held-out posts{_flattered(len(rows), taught)}"
    return Comparison(ours > theirs, words, len(rows), ours, theirs, taught)


def _flattered(posts: int, taught: int) -> str:
    """What the live version knew beforehand, and what would make it fair."""
    if not taught:
        return ""
    some = "all" if taught == posts else f"{taught}"
    return (
        f"; the live version was taught {some} of them, which flatters it: it is fair once {ENOUGH} held-out posts "
        "(the newest fifth of what there is to learn from) are new to it"
    )


def _fair(runtime: Runtime, found: Lesson, live_id: uuid.UUID) -> tuple[Indices, int]:
    """Held-out posts, if possible those that the live version was not taught; and how many of them it was."""
    held = hold_out(found.posts.times, found.posts.groups, HELD_OUT).test
    taught = _taught(runtime, live_id)
    fresh = np.array([n for n in held.tolist() if found.ids[n].bytes not in taught], dtype=np.int64)
    if len(fresh) >= ENOUGH:
        return fresh, 0
    return held, len(held) - len(fresh)


def _taught(runtime: Runtime, version_id: uuid.UUID) -> set[bytes]:
    with runtime.database.session() as session:
        data = session.scalars(select(HeadVersion.trained_on).where(HeadVersion.id == version_id)).one()
    return {data[start : start + 16] for start in range(0, len(data), 16)}


def _objective(runtime: Runtime, version_id: uuid.UUID, which: str, found: Lesson, rows: Indices) -> float | None:
    """None where the head does not know a label that is judged."""
    column = HeadVersion.judged if which == "judged" else HeadVersion.model
    with runtime.database.session() as session:
        head = TrainedHead.loads(session.scalars(select(column).where(HeadVersion.id == version_id)).one())
    targets = _aligned(head, found, rows)
    if targets is None:
        return None
    return float(judge(head, found.posts.take(rows), targets)["objective"])


def _aligned(head: TrainedHead, found: Lesson, rows: Indices) -> Floats | None:
    """Targets in the order of the head's labels."""
    if head.task == "number" or list(head.labels) == found.labels:
        return found.targets[rows]
    if set(head.labels) != set(found.labels):
        return None
    places = [found.labels.index(label) for label in head.labels]
    if head.task == "tags":
        return found.targets[rows][:, places]
    back = np.argsort(places)
    return back[found.targets[rows].astype(np.int64)].astype(np.float64)
