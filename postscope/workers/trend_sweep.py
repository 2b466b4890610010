"""Looks at the hourly counts of known topics every so often, so that growth is found whether or not a post comes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Text, cast, delete, exists, select
from sqlalchemy.orm import Session

from postscope.backend import runs
from postscope.backend.auth import Role
from postscope.backend.errors import Conflict
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Post, Run, Topic, TopicMember
from postscope.backend.trends import alerts
from postscope.backend.trends.alerts import Finding
from postscope.backend.trends.ranking import LEAST_HISTORY, count_hours
from postscope.backend.trends.selection import within
from postscope.backend.trends.timelines import one_snapshot
from postscope.indexing.early_warning import distinct, marks_of
from postscope.indexing.growth import SWEPT_HOURS, Frame, Growth, grown
from postscope.workers.run_context import RunContext

KIND = "trends.sweep"
ACTOR = "early warning"
MOST_POSTS = 1_000
"""Newest posts of a topic that are looked at for copies."""
MOST_SHOWN = 100
"""Posts that the evidence of an alert names."""
KEPT = timedelta(days=1)
"""How long a sweep that went well stays in the list of runs."""


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
    for n, hours in enumerate(SWEPT_HOURS):
        context.report(n, len(SWEPT_HOURS), f"the last {hours} hours")
        found, looked = _grown(runtime, now, hours)
        tested += looked
        for growth in found:
            context.check()
            raised += _raise(runtime, growth, hours, now)
    context.report(len(SWEPT_HOURS), len(SWEPT_HOURS), "all windows")
    return {"tested": tested, "raised": raised}


def _grown(runtime: Runtime, now: datetime, hours: int) -> tuple[list[Growth], int]:
    """The topics that have more than chance explains in the window, and how many were tested."""
    settings, since = runtime.settings.warning, now - timedelta(hours=hours)
    with runtime.database.session() as session:
        one_snapshot(session)
        shown = set(
            session.scalars(
                select(cast(Topic.id, Text)).where(
                    Topic.state == "active", Topic.layer == "topic", Topic.hidden.is_(False)
                )
            )
        )
        hourly = count_hours(session, [within(since - LEAST_HISTORY, now)], "topic", since)
    frame = Frame.of(hourly.stream, since - LEAST_HISTORY, since, now, "UTC")
    series = {key: counts for key, counts in hourly.series.items() if key in shown}
    return grown(frame, hourly.stream, series, budget=settings.false_alarms_per_day, least=settings.least_posts)


def _raise(runtime: Runtime, growth: Growth, hours: int, now: datetime) -> bool:
    """Raise an alert, or go on with the one of this burst; copies and further posts of an author do not count."""
    settings, topic_id, since = runtime.settings.warning, UUID(growth.key), now - timedelta(hours=hours)
    with runtime.database.session() as session:
        alerts.lock(session)
        rows = session.execute(
            select(Post.id, Post.author_hash, Post.created_at)
            .join(TopicMember, TopicMember.post_id == Post.id)
            .where(TopicMember.topic_id == topic_id, within(since, now))
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
            key=f"growth:{topic_id}:{since:%Y-%m-%dT%H:%M}",
            kind="growth",
            topic_id=topic_id,
            since=since,
            until=rows[0].created_at,
            observed=kept,
            prediction=growth.prediction,
            probability=growth.prediction.at_least(kept if enough else len(rows)),
            posts=len(rows),
            authors=len({author for author in authors if author}),
            marks=marks,
            evidence={"post_ids": [str(row.id) for row in rows[:MOST_SHOWN]], "window_hours": hours},
        )
        return alerts.raise_alert(session, found, now=now) is not None
