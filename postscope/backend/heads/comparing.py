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
from postscope.indexing.heads.features import Indices
from postscope.indexing.heads.head import TrainedHead
from postscope.indexing.heads.measures import measure
from postscope.indexing.heads.splits import hold_out
from postscope.indexing.heads.training import HELD_OUT

ENOUGH = 20
"""Fewer posts that neither was taught decide nothing; then all that the version was not taught are taken."""
ID = 16
"""Bytes of an id."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``better``: whether the version may go live; ``reason`` says why in words.

    ``live_was_taught`` counts posts among those compared on that the live version had learned from, which flatters it.
    ``against`` is its number.
    """

    better: bool
    reason: str
    posts: int
    objective: float | None
    live_objective: float | None
    live_was_taught: int
    against: int | None = None

    def as_dict(self) -> dict[str, object]:
        """For the audit log and the API."""
        return {name: getattr(self, name) for name in self.__slots__}


def compare(runtime: Runtime, head: Head, number: int) -> Comparison:
    """Judge a version beside the live one on the newest fifth of what there is to learn from now.

    Both are taken as they were before they learned from what was held out, and judged on posts that neither was
    taught. Where there are too few of these, the live one is taken as it serves, and what it was taught is told.

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
        return Comparison(True, "there is no other live version", 0, None, None, 0, live.number if live else None)
    if live.space_id != version.space_id:
        reason = "the live version belongs to a space that is not live any more"
        return Comparison(True, reason, 0, None, None, 0, live.number)
    found = lesson(runtime, head)
    rows, which, taught = _fair(runtime, found, version, live)
    if not len(rows):
        return Comparison(False, "there are no posts to compare on", 0, None, None, 0, live.number)
    ours = _objective(runtime, version.id, "judged", found, rows)
    theirs = _objective(runtime, live.id, which, found, rows)
    words = f"{ours:.4f} against {theirs:.4f} on {len(rows)} held-out posts{_flattered(len(rows), taught)}"
    return Comparison(ours > theirs, words, len(rows), ours, theirs, taught, live.number)


def _flattered(posts: int, taught: int) -> str:
    """What the live version knew beforehand, and what would make it fair."""
    if not taught:
        return ""
    some = "all" if taught == posts else f"{taught}"
    return (
        f"; the live version was taught {some} of them, which flatters it: it is fair once {ENOUGH} held-out posts "
        "(the newest fifth of what there is to learn from) are new to it"
    )


def _fair(runtime: Runtime, found: Lesson, version: HeadVersion, live: HeadVersion) -> tuple[Indices, str, int]:
    """Posts to compare on, which head of the live version is judged on them, and how many of them it was taught."""
    held = hold_out(found.posts.times, found.posts.groups, HELD_OUT).test
    ours, _ = _taught(runtime, version)
    theirs, whole = _taught(runtime, live)

    def without(rows: Indices, ids: set[bytes]) -> Indices:
        """Copies of what was taught are out as well."""
        groups = {int(found.posts.groups[n]) for n, post_id in enumerate(found.ids) if post_id.bytes in ids}
        return np.array([n for n in rows.tolist() if int(found.posts.groups[n]) not in groups], dtype=np.int64)

    rows = without(held, ours)
    fresh = without(rows, theirs)
    if len(fresh) >= ENOUGH:
        return fresh, "judged", 0
    return rows, "model", sum(found.ids[n].bytes in whole for n in rows.tolist())


def _taught(runtime: Runtime, version: HeadVersion) -> tuple[set[bytes], set[bytes]]:
    """Ids of the posts that ``judged`` was taught, and of those that ``model`` was.

    An older version does not say which were held out. They were the newest, and ids rise with time, so it is taken
    for taught all but the newest ids; of a head that learned from other times that is a guess.
    """
    with runtime.database.session() as session:
        data = session.scalars(select(HeadVersion.trained_on).where(HeadVersion.id == version.id)).one()
    ids = [data[start : start + ID] for start in range(0, len(data), ID)]
    held = int(version.report["held_out"]["posts"])
    return set(ids[: version.report.get("taught", max(0, len(ids) - held))]), set(ids)


def _objective(runtime: Runtime, version_id: uuid.UUID, which: str, found: Lesson, rows: Indices) -> float:
    column = HeadVersion.judged if which == "judged" else HeadVersion.model
    with runtime.database.session() as session:
        head = TrainedHead.loads(session.scalars(select(column).where(HeadVersion.id == version_id)).one())
    said, targets = head.predict(found.posts.take(rows)), found.targets[rows]
    if head.task == "number":
        return float(measure(head.task, said, targets, [""], np.zeros(1))["objective"])
    labels = [*found.labels, *(label for label in head.labels if label not in found.labels)]
    places = [labels.index(label) for label in head.labels]
    # A label that it does not know it never gives; one that nobody says any more is wrong wherever it is given.
    wide, thresholds = np.zeros((len(rows), len(labels))), np.ones(len(labels))
    wide[:, places], thresholds[places] = said, head.thresholds
    if head.task == "tags":
        targets = np.hstack([targets, np.zeros((len(rows), len(labels) - len(found.labels)))])
    return float(measure(head.task, wide, targets, labels, thresholds)["objective"])
