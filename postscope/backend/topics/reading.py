"""Topics, to read."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from postscope.backend.errors import NotFound
from postscope.backend.tables import Post, Topic, TopicLineage, TopicMember

Layer = Literal["theme", "topic", "subtopic"]
State = Literal["candidate", "active", "dead", "merged"]
Kind = Literal["discovered", "watch", "split", "burst"]
Order = Literal["strongest", "newest"]


@dataclass(frozen=True, slots=True)
class Outliers:
    """Posts that were looked at, and those of them that belong to no topic."""

    posts: int
    outliers: int

    @property
    def share(self) -> float | None:
        """Of outliers; None without posts."""
        return round(self.outliers / self.posts, 4) if self.posts else None


def get(session: Session, topic_id: uuid.UUID, *, lock: bool = False) -> Topic:
    """One topic.

    Raises:
        NotFound: there is none.
    """
    topic = session.get(Topic, topic_id, with_for_update=lock or None)
    if topic is None:
        raise NotFound(f"there is no topic {topic_id}")
    return topic


def outliers(session: Session) -> Outliers:
    """Over all posts that were looked at."""
    row = session.execute(
        select(func.count(), func.count().filter(TopicMember.topic_id.is_(None))).select_from(TopicMember)
    ).one()
    return Outliers(row[0], row[1])


def sizes(session: Session, topics: Sequence[Topic]) -> dict[uuid.UUID, int]:
    """Posts of each topic now; of a theme those of its topics."""
    child = aliased(Topic)
    queries: dict[str, Select[uuid.UUID | None, int]] = {
        "topic": select(TopicMember.topic_id, func.count()).group_by(TopicMember.topic_id),
        "subtopic": select(TopicMember.subtopic_id, func.count()).group_by(TopicMember.subtopic_id),
        "theme": select(child.parent_id, func.count())
        .join(TopicMember, TopicMember.topic_id == child.id)
        .group_by(child.parent_id),
    }
    keys = {"topic": TopicMember.topic_id, "subtopic": TopicMember.subtopic_id, "theme": child.parent_id}
    found: dict[uuid.UUID, int] = {topic.id: 0 for topic in topics}
    for layer, query in queries.items():
        ids = [topic.id for topic in topics if topic.layer == layer]
        if ids:
            found |= {key: count for key, count in session.execute(query.where(keys[layer].in_(ids))) if key}
    return found


def page(
    session: Session,
    *,
    layer: Layer | None,
    states: Sequence[State],
    kind: Kind | None,
    parent_id: uuid.UUID | None,
    hidden: bool,
    name: str | None,
    limit: int,
    offset: int,
) -> tuple[list[tuple[Topic, int]], int]:
    """Topics with their sizes, the largest first, then by id; and how many there are in all."""
    conditions: list[ColumnElement[bool]] = [Topic.state.in_(states)]
    if layer is not None:
        conditions.append(Topic.layer == layer)
    if kind is not None:
        conditions.append(Topic.kind == kind)
    if parent_id is not None:
        conditions.append(Topic.parent_id == parent_id)
    if not hidden:
        conditions.append(Topic.hidden.is_(False))
    if name is not None:
        conditions.append(Topic.name.icontains(name, autoescape=True))
    topics = list(session.scalars(select(Topic).where(*conditions)))
    counted = sizes(session, topics)
    topics.sort(key=lambda topic: (-counted[topic.id], topic.id))
    return [(topic, counted[topic.id]) for topic in topics[offset : offset + limit]], len(topics)


def posts(session: Session, topic: Topic, *, order: Order, limit: int, offset: int) -> list[tuple[Post, TopicMember]]:
    """A topic's posts; of a theme those of its topics."""
    query = select(Post, TopicMember).join(TopicMember, TopicMember.post_id == Post.id).where(members_of(topic))
    first = TopicMember.strength.desc() if order == "strongest" else Post.created_at.desc()
    return [
        (post, member) for post, member in session.execute(query.order_by(first, Post.id).limit(limit).offset(offset))
    ]


def members_of(topic: Topic) -> ColumnElement[bool]:
    """The condition on ``topic_members`` that a post belongs to a topic, sub-topic or theme."""
    match topic.layer:
        case "subtopic":
            return TopicMember.subtopic_id == topic.id
        case "theme":
            return TopicMember.topic_id.in_(select(Topic.id).where(Topic.parent_id == topic.id))
        case _:
            return TopicMember.topic_id == topic.id


def lineage(session: Session, topic_id: uuid.UUID, *, limit: int) -> list[TopicLineage]:
    """What became of a topic and what it came from, the newest first."""
    return list(
        session.scalars(
            select(TopicLineage)
            .where(or_(TopicLineage.from_id == topic_id, TopicLineage.to_id == topic_id))
            .order_by(TopicLineage.id.desc())
            .limit(limit)
        )
    )
