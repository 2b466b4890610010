"""What was said of posts: of one post, how often, and which posts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from postscope.backend.errors import NotFound
from postscope.backend.tables import Post, PostTag, Taxonomy, TaxonomyLabel, TaxonomyVersion
from postscope.backend.tagging import taxonomies


@dataclass(frozen=True, slots=True)
class Said:
    """A label that a post has."""

    taxonomy: str
    version: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Counted:
    """A label of a version, and how many posts have it."""

    label: str
    posts: int


def tags_of(session: Session, post_id: UUID, *, versions: Literal["live", "all"] = "live") -> list[Said]:
    """The labels of a post, by taxonomy and label; ``all`` also of versions that are old.

    Raises:
        NotFound: there is no such post.
    """
    if session.get(Post, post_id) is None:
        raise NotFound(f"there is no post {post_id}")
    states = ("live",) if versions == "live" else ("live", "applying", "old")
    rows = session.execute(
        select(Taxonomy.name, TaxonomyVersion.number, TaxonomyLabel.path, PostTag.score)
        .join(TaxonomyVersion, TaxonomyVersion.id == PostTag.version_id)
        .join(Taxonomy, Taxonomy.id == TaxonomyVersion.taxonomy_id)
        .join(TaxonomyLabel, TaxonomyLabel.id == PostTag.label_id)
        .where(PostTag.post_id == post_id, TaxonomyVersion.state.in_(states))
        .order_by(Taxonomy.name, TaxonomyVersion.number.desc(), TaxonomyLabel.position)
    )
    return [Said(*row) for row in rows]


def counts(session: Session, version: TaxonomyVersion) -> list[Counted]:
    """Every label of a version, in its order, with how many posts have it."""
    rows = session.execute(
        select(TaxonomyLabel.path, func.count(PostTag.post_id))
        .outerjoin(PostTag, PostTag.label_id == TaxonomyLabel.id)
        .where(TaxonomyLabel.version_id == version.id)
        .group_by(TaxonomyLabel.id)
        .order_by(TaxonomyLabel.position)
    )
    return [Counted(*row) for row in rows]


def posts_with(session: Session, label: TaxonomyLabel, *, min_score: float, limit: int) -> Sequence[tuple[UUID, float]]:
    """The posts that have a label, the most probable first."""
    rows = session.execute(
        select(PostTag.post_id, PostTag.score)
        .where(PostTag.label_id == label.id, PostTag.score >= min_score)
        .order_by(PostTag.score.desc(), PostTag.post_id)
        .limit(limit)
    )
    return [(row.post_id, row.score) for row in rows]


def label_of(session: Session, taxonomy: str, path: str, number: int | None) -> TaxonomyLabel:
    """A label of the live version, or of the one with this number.

    Raises:
        NotFound: there is no such thing.
    """
    version = taxonomies.get_version(session, taxonomy, number)
    found = session.scalar(
        select(TaxonomyLabel).where(TaxonomyLabel.version_id == version.id, TaxonomyLabel.path == path)
    )
    if found is None:
        raise NotFound(f"version {version.number} of the taxonomy {taxonomy!r} has no label {path!r}")
    return found
