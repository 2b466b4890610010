"""Keeps what the banks say of posts, and lets follow what follows from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend.arrays import among
from postscope.backend.banks import actions, hygiene, queueing
from postscope.backend.banks.catalogue import new_id
from postscope.backend.banks.judging import Judged, Matched
from postscope.backend.banks.probing import told_of
from postscope.backend.setting_groups import BankSettings
from postscope.backend.tables import BankEntry, BankMatch, Post, PostCheck


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of verdicts.

    Attributes:
        fresh: how many matches are new.
        overtaken: posts that somebody has judged meanwhile who knew more of the banks; they are to be checked again.
    """

    fresh: int
    overtaken: Collection[UUID]


def keep(
    session: Session,
    posts: Sequence[Post],
    judged: Mapping[UUID, Judged],
    settings: BankSettings,
    *,
    now: datetime,
    run_id: UUID | None = None,
) -> Kept:
    """Write these verdicts in place of earlier ones; repeated, nothing changes. One that was overtaken, by a sweep that
    knew more of the banks, is not written.

    Args:
        session: one transaction for all of it, what follows (tags, reviews, webhooks) among it.
        posts: those that were judged; one that has changed or is gone meanwhile is left out.
        judged: by post.
        settings: when an entry floods.
        now: the time.
        run_id: the sweep that looked; None for new posts.

    Returns:
        What came of it.
    """
    there = _unchanged(session, posts)
    overtaken = _overtaken(session, [post for post in posts if post.id in there], judged)
    kept = [post for post in posts if post.id in there - overtaken]
    if not kept:
        return Kept(0, overtaken)
    _keep_checks(session, kept, judged, now)
    _forget_matches(session, kept, judged)
    fresh = _keep_matches(session, kept, judged, now, run_id)
    queueing.follow_checks(session, {post.id: judged[post.id] for post in kept}, now=now)
    if any(judged[post.id].matches for post in kept):
        actions.take(session, kept, now=now)
        hygiene.watch(session, {match.entry_id for match in fresh}, settings, now=now)
    return Kept(len(fresh), overtaken)


def _unchanged(session: Session, posts: Sequence[Post]) -> set[UUID]:
    ids = [post.id for post in posts]
    held = select(Post.id, Post.version).where(among(Post.id, ids)).order_by(Post.id)  # in everybody's order
    rows = session.execute(held.with_for_update(key_share=True))
    versions = {row.id: row.version for row in rows}
    return {post.id for post in posts if versions.get(post.id) == post.version}


def _overtaken(session: Session, posts: Sequence[Post], judged: Mapping[UUID, Judged]) -> set[UUID]:
    """Nobody writes of these posts now: they are held."""
    rows = session.execute(
        select(PostCheck.post_id, PostCheck.version, PostCheck.change).where(
            among(PostCheck.post_id, [post.id for post in posts])
        )
    )
    versions = {post.id: post.version for post in posts}
    return {
        row.post_id for row in rows if row.version == versions[row.post_id] and row.change > judged[row.post_id].change
    }


def _keep_checks(session: Session, posts: Sequence[Post], judged: Mapping[UUID, Judged], now: datetime) -> None:
    rows = [
        {
            "post_id": post.id,
            "version": post.version,
            "verdict": judged[post.id].verdict,
            "change": judged[post.id].change,
            "asked": judged[post.id].asked,
            "unlooked": judged[post.id].unlooked,
            "unchecked": told_of(judged[post.id].checkable.unchecked),
            "checked_at": now,
        }
        for post in posts
    ]
    given = insert(PostCheck)
    told = {name: given.excluded[name] for name in rows[0] if name != "post_id"}
    session.execute(given.on_conflict_do_update(index_elements=["post_id"], set_=told), rows)


def _forget_matches(session: Session, posts: Sequence[Post], judged: Mapping[UUID, Judged]) -> None:
    """What does not match any more is kept for those who decided on it, and shown no more."""
    rows = session.execute(
        select(BankMatch.id, BankMatch.post_id, BankMatch.entry_id, BankMatch.tier).where(
            among(BankMatch.post_id, [post.id for post in posts]), BankMatch.current
        )
    ).all()
    holds = {(post_id, match.found.entry, match.found.tier) for post_id, one in judged.items() for match in one.matches}
    gone = [row.id for row in rows if (row.post_id, row.entry_id, row.tier) not in holds]
    if gone:
        session.execute(update(BankMatch).where(BankMatch.id.in_(gone)).values(current=False))


def _keep_matches(
    session: Session, posts: Sequence[Post], judged: Mapping[UUID, Judged], now: datetime, run_id: UUID | None
) -> list[BankMatch]:
    rows = [_row(post.id, match, now, run_id) for post in posts for match in judged[post.id].matches]
    there = set(session.scalars(select(BankEntry.id).where(BankEntry.id.in_({row["entry_id"] for row in rows}))))
    rows = [row for row in rows if row["entry_id"] in there]  # the others were removed while we looked
    if not rows:
        return []
    given = insert(BankMatch).values(rows)
    fields = ("kind", "score", "distance", "part", "place", "evidence", "suppressed_by")
    written = given.on_conflict_do_update(
        index_elements=["post_id", "entry_id", "tier"],
        set_={name: given.excluded[name] for name in fields} | {"current": True},
    )
    # A row that was inserted, not updated, has no deleting transaction.
    inserted = literal_column("bank_matches.xmax = 0", Boolean)
    ids = [row[0] for row in session.execute(written.returning(BankMatch.id, inserted)) if row[1]]
    return list(session.scalars(select(BankMatch).where(BankMatch.id.in_(ids)).order_by(BankMatch.id)))


def _row(post_id: UUID, match: Matched, now: datetime, run_id: UUID | None) -> dict[str, Any]:
    found = match.found
    return {
        "id": new_id(),
        "post_id": post_id,
        "bank_id": match.bank.id,
        "entry_id": found.entry,
        "tier": found.tier,
        "kind": found.kind,
        "score": found.score,
        "distance": found.distance,
        "part": found.part,
        "place": found.place,
        "evidence": dict(found.evidence),
        "suppressed_by": match.suppressed_by,
        "current": True,
        "run_id": run_id,
        "created_at": now,
    }
