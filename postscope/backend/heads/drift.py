"""Whether what a live version sees now is still what it learned from, and whether people still agree with it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from postscope.backend.heads.features import load_features
from postscope.backend.heads.learning import is_nested
from postscope.backend.metrics import HeadFigures
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Head, HeadDrift, HeadScore, HeadVersion
from postscope.backend.tagging.nesting import path_to
from postscope.indexing.heads.drift import Reference, expected_noise

SEEN = 2_000
"""Newest posts that are looked at."""
LEAST = 200
"""With fewer posts no distance can be told from chance."""
MUCH = 0.25
"""A population stability index from which on a distribution has changed (Siddiqi 2006), above what chance gives."""
JUDGED = 30
"""Corrections that precision is taken from."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How far off a version is; None where too few posts or corrections tell.

    ``precision``: share of corrected posts whose shown label people confirmed.
    """

    posts: int
    embedding: float | None
    score: float | None
    judged: int
    precision: float | None
    drifted: bool


def measure_drift(runtime: Runtime, version_id: uuid.UUID) -> Measured | None:
    """Compare the newest posts with the training window, and what was shown with corrections, and write it down.

    Returns:
        None while there are too few of both.
    """
    with runtime.database.session() as session:
        version = session.execute(
            select(HeadVersion.head_id, HeadVersion.reference, HeadVersion.trained_on).where(
                HeadVersion.id == version_id
            )
        ).one()
        head = session.get_one(Head, version.head_id)
        rows = session.execute(
            select(HeadScore.post_id, HeadScore.values)
            .where(HeadScore.version_id == version_id)
            .order_by(HeadScore.at.desc(), HeadScore.post_id)
            .limit(SEEN)
        ).all()
        judged, precision = _precision(session, head, version_id)
    # Of what it learned from it is surer than of anything new.
    taught = {version.trained_on[start : start + 16] for start in range(0, len(version.trained_on), 16)}
    scores = {row.post_id: row.values for row in rows if row.post_id.bytes not in taught}
    reference = Reference.from_json(version.reference)
    posts, distances, drifted = _distances(runtime, reference, scores, head.fields)
    if distances is None and precision is None:
        return None
    embedding, score = distances or (None, None)
    found = Measured(posts, embedding, score, judged, precision, drifted)
    _write(runtime, version_id, found, runtime.clock())
    return found


def _distances(
    runtime: Runtime, reference: Reference, scores: dict[uuid.UUID, list[float]], fields: list[str]
) -> tuple[int, tuple[float, float] | None, bool]:
    """How many posts there are, how far their embeddings and scores are, and whether that is more than chance gives."""
    if len(scores) < LEAST:
        return len(scores), None, False
    ids, posts = load_features(runtime, list(scores), fields)
    if len(ids) < LEAST:
        return len(ids), None, False
    embedding = reference.embedding_distance(posts.fused)
    score = reference.score_distance(np.array([scores[post_id] for post_id in ids], dtype=np.float64))
    limits = [MUCH + 2 * expected_noise(before, len(ids)) for before in reference.posts]
    return len(ids), (embedding, score), embedding > limits[0] or score > limits[1]


def newest(session: Session, version_id: uuid.UUID) -> HeadDrift | None:
    """What was measured last."""
    query = select(HeadDrift).where(HeadDrift.version_id == version_id).order_by(HeadDrift.at.desc()).limit(1)
    return session.scalar(query)


def history(session: Session, head: Head, *, since: datetime) -> list[HeadDrift]:
    """What was measured of all versions of a head, the oldest first."""
    query = (
        select(HeadDrift)
        .join(HeadVersion, HeadVersion.id == HeadDrift.version_id)
        .where(HeadVersion.head_id == head.id, HeadDrift.at >= since)
        .order_by(HeadDrift.at, HeadDrift.version_id)
    )
    return list(session.scalars(query))


def _precision(session: Session, head: Head, version_id: uuid.UUID) -> tuple[int, float | None]:
    """What people said of labels that they saw on posts: how many, and the share that they agreed on.

    Of classes the best label is what was shown; of tags those that reach their thresholds. A tag that a corrected post
    was shown with and that nobody names is wrong, as it is when a head learns from the correction.
    """
    if head.set_id is None or head.task == "number":
        return 0, None
    report = session.scalars(select(HeadVersion.report).where(HeadVersion.id == version_id)).one()
    names = [item["label"] for item in report["held_out"]["labels"]]
    thresholds = [item["threshold"] for item in report.get("thresholds", [])]
    rows = session.execute(
        text(
            "SELECT s.values, array_agg(l.label ORDER BY l.label) FILTER (WHERE l.value > 0) AS has FROM labels l "
            "JOIN head_scores s ON s.post_id = l.post_id AND s.version_id = :version AND s.shown "
            "WHERE l.set_id = :set AND l.source = 'correction' AND l.at >= s.at "
            "GROUP BY s.post_id, s.values ORDER BY max(l.at) DESC, s.post_id LIMIT 1000"
        ),
        {"version": version_id, "set": head.set_id},
    ).all()
    nested = is_nested(session, head)
    agreed: list[bool] = []
    for row in rows:
        if head.task == "classes":
            shown = [names[int(np.argmax(row.values))]]
        else:
            shown = [name for name, p, least in zip(names, row.values, thresholds, strict=True) if p >= least]
        has = {above for label in row.has or () for above in (path_to(label) if nested else (label,))}
        agreed += [name in has for name in shown]
    return len(agreed), float(np.mean(agreed)) if len(agreed) >= JUDGED else None


def _write(runtime: Runtime, version_id: uuid.UUID, found: Measured, now: datetime) -> None:
    with runtime.database.session() as session:
        session.merge(
            HeadDrift(
                version_id=version_id,
                at=now,
                posts=found.posts,
                embedding=found.embedding,
                score=found.score,
                judged=found.judged,
                precision=found.precision,
                drifted=found.drifted,
            )
        )


def head_figures(runtime: Runtime) -> list[HeadFigures]:
    """Of every live head, as it was measured last."""
    with runtime.database.session() as session:
        rows = session.execute(
            select(Head.name, HeadVersion.id, HeadVersion.served)
            .join(HeadVersion, HeadVersion.head_id == Head.id)
            .where(HeadVersion.state == "live")
            .order_by(Head.name)
        ).all()
        found = []
        for row in rows:
            last = newest(session, row.id)
            figures = (last.embedding, last.score, last.precision) if last is not None else (None, None, None)
            found.append(HeadFigures(row.name, row.served, *figures))
    return found
