"""The posts behind a number: all of a filter, the newest first, in pages that neither repeat nor lose one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from postscope.backend.errors import Invalid
from postscope.backend.tables import Media, Post
from postscope.backend.trends.requests import PostFilter
from postscope.backend.trends.selection import conditions, within
from postscope.backend.trends.timelines import one_snapshot


@dataclass(frozen=True, slots=True)
class PostPage:
    """Some posts with their media in order; ``total`` of the whole filter, ``cursor`` for what follows."""

    posts: Sequence[tuple[Post, list[Media]]]
    total: int
    cursor: str | None


def list_posts(
    session: Session, asked: PostFilter, *, author_key: bytes, now: datetime, limit: int, cursor: str | None = None
) -> PostPage:
    """One page.

    Without ``from`` and ``to`` the window is open: posts that say they are from the future or 1970 are there too.

    Raises:
        Invalid: the window is reversed, or the cursor is none of ours.
        NotFound: there is no such topic.
    """
    one_snapshot(session)
    where = conditions(session, asked, author_key)
    if asked.since and asked.to:
        where.append(within(*asked.window(now)))
    elif asked.since:
        where.append(Post.created_at >= asked.since)
    elif asked.to:
        where.append(Post.created_at < asked.to)
    total = session.scalar(select(func.count()).select_from(Post).where(*where)) or 0
    if cursor is not None:
        where.append(tuple_(Post.created_at, Post.id) < tuple_(*_parse(cursor)))
    query = select(Post).where(*where).order_by(Post.created_at.desc(), Post.id.desc()).limit(limit + 1)
    posts = list(session.scalars(query))
    more, posts = len(posts) > limit, posts[:limit]
    media: dict[UUID, list[Media]] = {post.id: [] for post in posts}
    rows = select(Media).where(Media.post_id.in_(list(media))).order_by(Media.post_id, Media.position)
    for medium in session.scalars(rows):
        media[medium.post_id].append(medium)
    following = _token(posts[-1]) if more else None
    return PostPage([(post, media[post.id]) for post in posts], total, following)


def _token(post: Post) -> str:
    return base64.urlsafe_b64encode(f"{post.created_at.isoformat()}|{post.id}".encode()).decode()


def _parse(token: str) -> tuple[datetime, UUID]:
    try:
        at, _, post_id = base64.urlsafe_b64decode(token.encode()).decode().partition("|")
        return datetime.fromisoformat(at).astimezone(UTC), UUID(post_id)
    except (ValueError, binascii.Error, OverflowError):
        raise Invalid.of("cursor", "is not one that this list has given") from None
