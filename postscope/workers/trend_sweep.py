"""Looks at the hourly counts of known topics every so often, so that growth is found whether or not a post comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from postscope.backend import runs
from postscope.backend.auth import Role
from postscope.backend.errors import Conflict
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Post, Run, Topic, TopicMember
from postscope.backend.trends import alerts
from postscope.backend.trends.alerts import Finding
from postscope.backend.trends.ranking import LEAST_HISTORY, NEW_POSTS, Frame, count_hours
from postscope.backend.trends.selection import within
from postscope.backend.trends.timelines import one_snapshot
from postscope.indexing.bursts import Prediction
from postscope.indexing.early_warning import distinct, marks_of
from postscope.workers.run_context import RunContext

KIND = "trends.sweep"
ACTOR = "early warning"
WINDOWS = (2, 8, 24)
"""Hours that are tested; longer ones are for ``GET /v1/trends``."""
SHARE = 0.25
"""Of the false alarms a day that may be spent here; the surroundings of new posts are tested too."""
MOST_POSTS = 1_000
"""Newest posts of a topic that are looked at for copies."""
MOST_SHOWN = 100
"""Posts that the evidence of an alert names."""
KEPT = timedelta(days=1)
"""How long a sweep that went well stays in the list of runs."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A topic that has more posts than expected, copies and all."""

    topic_id: UUID
    since: datetime
    hours: int
    prediction: Prediction
    allowed: float


def start_sweep(runtime: Runtime, session: Session) -> None:
    """Ask for the next sweep when the last one is old enough and there is a topic to look at."""
    settings, now = runtime.settings.warning, runtime.clock()
    if not settings.enabled or not session.scalar(select(exists().where(Topic.state == "active"))):
        return
    last = session.scalar(select(Run.created_at).where(Run.kind == KIND).order_by(Run.created_at.desc()).limit(1))
    if last is not None and now - last < timedelta(minutes=settings.sweep_minutes):
        return
    session.execute(delete(Run).where(Run.kind == KIND, Run.state == "done", Run.finished_at < now - KEPT))
    try:
        runs.start(session, KIND, {}, actor=ACTOR, readers=(Role.ANALYST,), now=now, exclusive=KIND)
    except Conflict:
        return  # it waits or runs already


def sweep_topics(runtime: Runtime, context: RunContext) -> dict[str, Any]:
    """Test each window; every alert is written by itself, and a second sweep of the same writes none."""
    now, raised, tested = runtime.clock(), 0, 0
    for n, hours in enumerate(WINDOWS):
        context.report(n, len(WINDOWS), f"the last {hours} hours")
        found, looked = _grown(runtime, now, hours)
        tested += looked
        for growth in found:
            context.check()
            raised += _raise(runtime, growth, now)
    return {"tested": tested, "raised": raised}


def _grown(runtime: Runtime, now: datetime, hours: int) -> tuple[list[Growth], int]:
    """The topics that have more than chance explains in the window, and how many were tested."""
    settings, since = runtime.settings.warning, now - timedelta(hours=hours)
    with runtime.database.session() as session:
        one_snapshot(session)
        shown = set(
            session.scalars(
                select(Topic.id).where(Topic.state == "active", Topic.layer == "topic", Topic.hidden.is_(False))
            )
        )
        hourly = count_hours(session, [within(since - LEAST_HISTORY, now)], "topic", since)
    frame = Frame.of(hourly.stream, since - LEAST_HISTORY, since, now, "UTC")
    known = {UUID(key): counts for key, counts in hourly.series.items() if UUID(key) in shown}
    known = {key: counts for key, counts in known.items() if _past(counts) >= NEW_POSTS}
    if not frame.enough or not known:
        return [], 0
    busy = frame.busy(hourly)
    # All windows share what may be false; looks at one window within its own length are about one test.
    allowed = SHARE * settings.false_alarms_per_day / len(WINDOWS) / (len(known) * 24 / hours)
    found = []
    for key, counts in sorted(known.items()):
        observed = sum(counts.values()) - _past(counts)
        if observed < settings.least_posts:
            continue
        prediction = frame.predict(counts, busy)
        if prediction.at_least(observed) <= allowed:
            found.append(Growth(key, since, hours, prediction, allowed))
    return found, len(known)


def _past(counts: dict[int, int]) -> int:
    return sum(posts for hour, posts in counts.items() if hour < 0)


def _raise(runtime: Runtime, growth: Growth, now: datetime) -> bool:
    """Raise an alert, or go on with the one of this burst; copies and further posts of an author do not count."""
    settings = runtime.settings.warning
    with runtime.database.session() as session:
        alerts.lock(session)
        rows = session.execute(
            select(Post.id, Post.author_hash, Post.created_at)
            .join(TopicMember, TopicMember.post_id == Post.id)
            .where(TopicMember.topic_id == growth.topic_id, within(growth.since, now))
            .order_by(Post.created_at.desc(), Post.id)
            .limit(MOST_POSTS)
        ).all()
        stored = {
            point.id: point.dense["post"]
            for point in runtime.store.retrieve(runtime.live.collection, [row.id for row in rows])
            if "post" in point.dense
        }
        rows = [row for row in rows if row.id in stored]
        if not rows:
            return False
        vectors, authors = np.stack([stored[row.id] for row in rows]), [row.author_hash for row in rows]
        kept = int(distinct(vectors, authors).sum())
        enough = kept >= settings.least_posts and growth.prediction.at_least(kept) <= growth.allowed
        marks = [] if enough else marks_of(vectors, authors)
        if not enough and not marks:
            return False
        found = Finding(
            key=f"growth:{growth.topic_id}:{growth.since:%Y-%m-%dT%H:%M}",
            kind="growth",
            topic_id=growth.topic_id,
            since=growth.since,
            until=rows[0].created_at,
            observed=kept,
            prediction=growth.prediction,
            probability=growth.prediction.at_least(kept if enough else len(rows)),
            posts=len(rows),
            authors=len({author for author in authors if author}),
            marks=marks,
            evidence={"post_ids": [str(row.id) for row in rows[:MOST_SHOWN]], "window_hours": growth.hours},
        )
        return alerts.raise_alert(session, found, now=now) is not None
