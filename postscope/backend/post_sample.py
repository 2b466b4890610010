"""Indexed posts drawn by a seed: of a large table only some pages are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Text, cast, func, literal, select, tablesample, text
from sqlalchemy.orm import Session

from postscope.backend.tables import Post

PAGES: Final = 1_024
"""Pages of the table of posts (8 KiB each) that are read at least; of a larger table no more than twice as many."""
WIDER: Final = 8
"""How many times as many pages are read where those that were read hold too few."""

LeftOut = Callable[[FromClause], ColumnElement[bool]]
"""Of posts under the name that they are read by: which of them are not to be drawn."""


def sample_posts(session: Session, count: int, seed: int, left_out: LeftOut, *, pages: int = PAGES) -> list[UUID]:
    """Indexed posts, ``count`` of them or all there are, in a seeded order.

    Of a large table only some pages are looked at, drawn by the seed, and more of them where these hold too few posts.
    Posts of one page came in at about one time, so the pages hold many times more posts than are drawn from them. A
    share is a power of two, so that a table that grows a little keeps its pages.

    Args:
        session: to read with.
        count: of posts.
        seed: of pages and order.
        left_out: which posts are none to draw.
        pages: that are read at least.
    """
    size = session.scalar(text("SELECT pg_relation_size('posts') / current_setting('block_size')::int")) or 0
    share = 1.0
    while size * share >= 2 * pages:
        share /= 2
    while share < 1:
        found = _drawn(session, count, seed, left_out, share)
        if len(found) == count:
            return found
        share *= WIDER
    return _drawn(session, count, seed, left_out)


def _drawn(session: Session, count: int, seed: int, left_out: LeftOut, share: float = 1.0) -> list[UUID]:
    posts: Any = Post.__table__
    seen = tablesample(posts, func.system(100 * share), seed=literal(seed)) if share < 1 else posts.alias()
    query = (
        select(seen.c.id)
        .where(seen.c.indexed_version.is_not(None), ~left_out(seen))
        .order_by(func.md5(cast(seen.c.id, Text) + str(seed)), seen.c.id)
        .limit(count)
    )
    return list(session.scalars(query))
