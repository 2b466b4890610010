"""Several topics, tags or labels side by side, in the same buckets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import numpy as np
from pydantic import Field

from postscope.backend.database import Database
from postscope.backend.errors import Invalid
from postscope.backend.post_schema import Name
from postscope.backend.tagging.names import LabelRef
from postscope.backend.trends.requests import TimelineQuery
from postscope.backend.trends.selection import conditions, resolve
from postscope.backend.trends.timelines import Figures, count, one_snapshot
from postscope.indexing.buckets import Buckets, BucketSize

MOST = 10


class CompareQuery(TimelineQuery):
    """Two to ten topics, tags or labels, and which posts of them."""

    topics: Annotated[list[UUID], Field(max_length=MOST)] = Field([], description="topics to compare")
    tags: Annotated[list[Name], Field(max_length=MOST)] = Field([], description="tags or hashtags to compare")
    labels: Annotated[list[LabelRef], Field(max_length=MOST)] = Field(
        [], description="labels of taxonomies to compare: taxonomy/label, or taxonomy@2/label of a version"
    )


@dataclass(frozen=True, slots=True)
class Series:
    """One that is compared; ``asked`` is the filter of its posts, ``share`` is of the posts of all series."""

    name: str
    asked: TimelineQuery
    figures: Sequence[Figures]
    total: Figures
    share: float | None
    peak: int | None


@dataclass(frozen=True, slots=True)
class Compared:
    """The series, and how alike each two of them run: correlations of their counts, None for one that never moves."""

    buckets: Buckets
    size: BucketSize
    series: Sequence[Series]
    correlations: Sequence[Sequence[float | None]]


def compare(database: Database, asked: CompareQuery, *, author_key: bytes, now: datetime) -> Compared:
    """What is asked for, read from one snapshot.

    Raises:
        Invalid: fewer than two or more than ten to compare, a reversed window, too many buckets.
        NotFound: there is no such topic.
    """
    if not 2 <= len(asked.topics) + len(asked.tags) + len(asked.labels) <= MOST:
        raise Invalid.of("topics", f"give 2 to {MOST} topics, tags or labels to compare")
    buckets, size = asked.buckets(now)
    base = TimelineQuery.model_validate(
        {name: getattr(asked, name) for name in TimelineQuery.model_fields if name in asked.model_fields_set}
    )
    found: list[tuple[str, TimelineQuery, Sequence[Figures], Figures]] = []
    with database.session() as session:
        one_snapshot(session)
        filters: list[tuple[str, TimelineQuery]] = []
        for topic_id in asked.topics:
            topic = resolve(session, topic_id)
            filters.append((topic.name, base.model_copy(update={"topic_id": topic.id})))
        filters += [(tag, base.model_copy(update={"tag": [tag]})) for tag in asked.tags]
        filters += [(label, base.model_copy(update={"label": [label]})) for label in asked.labels]
        for name, chosen in filters:
            figures, total = count(session, conditions(session, chosen, author_key), buckets.edges)
            found.append((name, chosen, figures, total))
    posts = sum(total.posts for _, _, _, total in found)
    series = [
        Series(
            name,
            chosen,
            figures,
            total,
            total.posts / posts if posts else None,
            max(range(len(figures)), key=lambda n: figures[n].posts) if total.posts else None,
        )
        for name, chosen, figures, total in found
    ]
    counts = [[figures.posts for figures in one.figures] for one in series]
    return Compared(buckets, size, series, [[_correlation(a, b) for b in counts] for a in counts])


def _correlation(one: Sequence[int], other: Sequence[int]) -> float | None:
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return round(float(a @ b) / length, 4) if length > 0 else None
