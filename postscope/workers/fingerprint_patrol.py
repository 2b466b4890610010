"""Looks whether the fingerprints of posts are of their content and of today's recipe, and has the others made again.

A release may make other fingerprints of the same content (``making.RECIPE``). The former ones still find copies
meanwhile; a few posts at a time are enriched again, and only while no other post waits for that, so that an upgrade
holds nothing up. Where it is stopped does not matter: it goes round and round.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from postscope.backend import work
from postscope.backend.fingerprinting import keeping
from postscope.backend.runtime import Runtime
from postscope.backend.tables import Post, Work
from postscope.backend.work import Stage
from postscope.workers.indexing import load

log = structlog.get_logger(__name__)

SLICE = 200
"""Posts looked at in one step: some ten milliseconds."""
_START = UUID(int=0)


class FingerprintPatrol:
    """One round after another, in the order of the ids. For one thread."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._after = _START

    def step(self) -> list[UUID]:
        """Look at the next few posts, unless others wait to be enriched.

        Returns:
            Those whose fingerprints are to be made again; they are waiting to be enriched.
        """
        runtime = self._runtime
        with runtime.database.session() as session:
            if session.scalar(select(exists().where(Work.stage == Stage.ENRICH.value, Work.state != "failed"))):
                return []
            ids = _settled(session, self._after)
            posts, media = load(session, ids)
            known = keeping.known(session, ids)
            old = [post.id for post in posts if known.get(post.id) != keeping.content_key(post, media.get(post.id, ()))]
            work.add(session, Stage.ENRICH, old, now=runtime.clock(), request_id=None)
            runtime.jobs.after(session, [Stage.ENRICH] * bool(old))
        self._after = ids[-1] if len(ids) == SLICE else _START
        if old:
            log.info("fingerprints_out_of_date", posts=len(old), first=str(old[0]))
        return old


def _settled(session: Session, after: UUID) -> Sequence[UUID]:
    """Posts that are enriched as they are, and of which nothing is asked or has failed."""
    asked = exists().where(Work.post_id == Post.id)
    query = select(Post.id).where(Post.enriched_version == Post.version, ~asked, Post.id > after)
    return session.scalars(query.order_by(Post.id).limit(SLICE)).all()
