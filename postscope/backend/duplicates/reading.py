"""What is known of copies: of one post, and of whole groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from postscope.backend.duplicates.matching import Matched
from postscope.backend.errors import NotFound
from postscope.backend.fingerprinting import keeping
from postscope.backend.fingerprinting.keeping import Failure
from postscope.backend.posts import get_post
from postscope.backend.tables import DuplicateGroup, DuplicateMember, DuplicatePair, Media, Post

Relation = Literal["anchor", "member", "pair"]
Order = Literal["size", "growth", "newest", "oldest"]
Verdict = Literal["copy", "no_copy", "could_not_check", "not_checked_yet"]

_ORDERS: Final[Mapping[Order, str]] = {
    "size": "size DESC, id",
    "growth": "recent DESC, size DESC, id",
    "newest": "last_at DESC, id",
    "oldest": "first_at, id",
}
_BUCKETS: Final = tuple(
    timedelta(seconds=seconds) for seconds in (60, 300, 900, 3_600, 10_800, 21_600, 86_400, 604_800, 2_592_000)
)
_MOST_BUCKETS: Final = 60


@dataclass(frozen=True, slots=True)
class Copy:
    """Another post that is a copy.

    Attributes:
        relation: the anchor of the group; a member of it, which matches the anchor; or a pair outside of groups.
        score: of the match with the post that was asked for; of a fellow member, with the anchor.
        evidence: of the same match.
    """

    post_id: UUID
    relation: Relation
    score: float
    evidence: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PostCopies:
    """Of one post.

    Attributes:
        verdict: ``no_copy`` only where every part could be checked.
        could_not_check: media that nothing can be said of, with the reason.
    """

    verdict: Verdict
    group_id: UUID | None
    copies: Sequence[Copy] = ()
    could_not_check: Sequence[Failure] = ()


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """A group at a glance.

    Attributes:
        anchor_id: the earliest post; while another is being chosen, the earliest that is left.
        recent: members posted within the growth window.
    """

    id: UUID
    anchor_id: UUID
    size: int
    authors: int
    sources: int
    first_at: datetime
    last_at: datetime
    recent: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How a group spread.

    Attributes:
        bucket_seconds: width of a bucket.
        buckets: start of each that has posts, and how many.
        per_hour: members an hour from the first to the last.
        peak_per_hour: of the busiest bucket.
        half_after_seconds: when half of the members were posted, from the first on.
    """

    bucket_seconds: int
    buckets: Sequence[tuple[datetime, int]]
    per_hour: float | None
    peak_per_hour: float | None
    half_after_seconds: float


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member, as it is shown."""

    post_id: UUID
    at: datetime
    source: str
    author_hash: str | None
    score: float
    evidence: Sequence[dict[str, Any]] = field(default=())


def copies_of(session: Session, post_id: UUID, *, limit: int) -> PostCopies:
    """Copies of a post: the anchor first, then the rest of the group by score, then pairs.

    Raises:
        NotFound: there is no such post.
    """
    post, media = get_post(session, post_id)
    failures = list(keeping.failures(session, [post_id]).get(post_id, []))
    own = session.get(DuplicateMember, post_id)
    copies = _in_group(session, own, limit) if own is not None else []
    copies += _pairs(session, post_id, limit - len(copies))
    waiting = any(medium.state == "waiting" or _not_taken_apart(medium) for medium in media)
    if waiting or keeping.known(session, [post_id]).get(post_id) != keeping.content_key(post, media):
        return PostCopies("not_checked_yet", own.group_id if own else None, copies, failures)
    verdict: Verdict = "copy" if copies else "could_not_check" if failures else "no_copy"
    return PostCopies(verdict, own.group_id if own else None, copies, failures)


def _not_taken_apart(medium: Media) -> bool:
    return medium.kind in ("video", "audio") and medium.state != "failed" and medium.understood_at is None


def _in_group(session: Session, own: DuplicateMember, limit: int) -> list[Copy]:
    anchor_id = session.scalar(select(DuplicateGroup.anchor_id).where(DuplicateGroup.id == own.group_id))
    others = session.scalars(
        select(DuplicateMember)
        .where(DuplicateMember.group_id == own.group_id, DuplicateMember.post_id != own.post_id)
        .order_by(DuplicateMember.post_id != anchor_id, DuplicateMember.score.desc(), DuplicateMember.post_id)
        .limit(limit)
    )
    found = []
    for other in others:
        if other.post_id == anchor_id:
            found.append(Copy(other.post_id, "anchor", own.score, own.evidence))
        elif own.post_id == anchor_id:
            seen = Matched(other.score, tuple(other.evidence)).turned()
            found.append(Copy(other.post_id, "member", seen.score, seen.evidence))
        else:
            found.append(Copy(other.post_id, "member", other.score, other.evidence))
    return found


def _pairs(session: Session, post_id: UUID, limit: int) -> list[Copy]:
    rows = session.scalars(
        select(DuplicatePair)
        .where((DuplicatePair.post_id == post_id) | (DuplicatePair.other_id == post_id))
        .order_by(DuplicatePair.score.desc(), DuplicatePair.post_id, DuplicatePair.other_id)
        .limit(max(0, limit))
    )
    found = []
    for row in rows:
        told = Matched(row.score, tuple(row.evidence))
        if row.post_id == post_id:
            found.append(Copy(row.other_id, "pair", told.score, told.evidence))
        else:
            found.append(Copy(row.post_id, "pair", told.score, told.turned().evidence))
    return found


_SUMMARY: Final = """
    SELECT g.id, coalesce(g.anchor_id, (array_agg(p.id ORDER BY p.created_at, p.id))[1]) AS anchor_id, g.size,
        count(DISTINCT p.author_hash) AS authors, count(DISTINCT p.source) AS sources,
        min(p.created_at) AS first_at, max(p.created_at) AS last_at,
        count(*) FILTER (WHERE p.created_at > :recent AND p.created_at <= :now) AS recent
    FROM duplicate_groups g JOIN duplicate_members m ON m.group_id = g.id JOIN posts p ON p.id = m.post_id
"""


def list_groups(
    session: Session,
    *,
    order: Order,
    min_size: int,
    since: datetime | None,
    until: datetime | None,
    growth: timedelta,
    now: datetime,
    limit: int,
    offset: int,
) -> list[GroupSummary]:
    """Groups with a post between ``since`` and ``until``, in an order; growth is counted up to ``now``."""
    rows = session.execute(
        text(
            # put together from constants of this module
            f"SELECT * FROM ({_SUMMARY} WHERE g.size >= :least GROUP BY g.id) AS found "  # noqa: S608
            "WHERE (CAST(:since AS timestamptz) IS NULL OR last_at >= :since) "
            "AND (CAST(:until AS timestamptz) IS NULL OR first_at <= :until) "
            f"ORDER BY {_ORDERS[order]} LIMIT :limit OFFSET :offset"
        ),
        {
            "least": min_size,
            "since": since,
            "until": until,
            "recent": now - growth,
            "now": now,
            "limit": limit,
            "offset": offset,
        },
    )
    return [GroupSummary(**row._mapping) for row in rows]


def read_group(session: Session, group_id: UUID, *, now: datetime) -> GroupSummary:
    """One group.

    Raises:
        NotFound: there is none.
    """
    row = session.execute(
        text(f"{_SUMMARY} WHERE g.id = :id GROUP BY g.id"),
        {"id": group_id, "recent": now - timedelta(days=1), "now": now},
    ).first()
    if row is None:
        raise NotFound(f"there is no group {group_id}")
    return GroupSummary(**row._mapping)


def list_members(session: Session, group_id: UUID, *, limit: int, offset: int) -> list[MemberView]:
    """The earliest first."""
    rows = session.execute(
        select(Post.id, Post.created_at, Post.source, Post.author_hash, DuplicateMember.score, DuplicateMember.evidence)
        .join(DuplicateMember, DuplicateMember.post_id == Post.id)
        .where(DuplicateMember.group_id == group_id)
        .order_by(Post.created_at, Post.id)
        .limit(limit)
        .offset(offset)
    )
    return [MemberView(*row) for row in rows]


def spread_of(session: Session, group_id: UUID) -> Spread:
    """How a group spread over time."""
    times = list(
        session.scalars(
            select(Post.created_at)
            .join(DuplicateMember, DuplicateMember.post_id == Post.id)
            .where(DuplicateMember.group_id == group_id)
            .order_by(Post.created_at)
        )
    )
    span = times[-1] - times[0] if times else timedelta(0)
    width = next((width for width in _BUCKETS if span <= _MOST_BUCKETS * width), _BUCKETS[-1])
    counts: dict[int, int] = {}
    for at in times:
        place = int((at - times[0]) / width)
        counts[place] = counts.get(place, 0) + 1
    hours = span.total_seconds() / 3_600
    return Spread(
        int(width.total_seconds()),
        [(times[0] + place * width, count) for place, count in sorted(counts.items())],
        round(len(times) / hours, 3) if hours else None,
        round(max(counts.values()) / (width.total_seconds() / 3_600), 3) if counts else None,
        (times[(len(times) - 1) // 2] - times[0]).total_seconds() if times else 0.0,
    )


def groups_of(session: Session, ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Which group each of these posts is in; those in none are left out."""
    rows = session.execute(
        select(DuplicateMember.post_id, DuplicateMember.group_id).where(DuplicateMember.post_id.in_(ids))
    )
    return {row.post_id: row.group_id for row in rows}


def sizes_of(session: Session, ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, int]]:
    """The group of each of these posts, and its size; those in none are left out."""
    rows = session.execute(
        select(DuplicateMember.post_id, DuplicateGroup.id, DuplicateGroup.size)
        .join(DuplicateGroup, DuplicateGroup.id == DuplicateMember.group_id)
        .where(DuplicateMember.post_id.in_(ids))
    )
    return {row.post_id: (row.id, row.size) for row in rows}
