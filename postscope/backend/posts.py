"""Posts: take in, read, delete. The row, its media and its work are written in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from postscope.backend import work
from postscope.backend.errors import FieldProblem, NotFound
from postscope.backend.jobs import Jobs
from postscope.backend.loose_blobs import loosen
from postscope.backend.post_rows import Stored, write_media, write_posts
from postscope.backend.post_schema import PostIn, PostReader
from postscope.backend.tables import Media, Post, Upload
from postscope.backend.work import Stage

MAX_BATCH = 1_000

Outcome = Stored | Literal["rejected"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one post of a batch."""

    index: int
    status: Outcome
    id: uuid.UUID | None = None
    problems: list[FieldProblem] = field(default_factory=list)


class PostIntake:
    """Takes posts in. One object serves all threads."""

    def __init__(self, jobs: Jobs, *, author_key: bytes, max_media: int) -> None:
        self._jobs = jobs
        self._author_key = author_key
        self._max_media = max_media
        self._reader = PostReader()

    def create(
        self, session: Session, rows: Sequence[Any], *, now: datetime, request_id: str | None = None
    ) -> list[Verdict]:
        """Take in a batch: each post gets its own verdict, and a bad one takes no other with it.

        Of two posts with one identity in a batch the later wins, as if they had come one after the other.
        """
        posts, wrong = self._reader.read(rows)
        verdicts = {index: Verdict(index, "rejected", problems=problems) for index, problems in wrong.items()}
        self._refuse_media(session, posts, verdicts)
        last = {(post.source, post.external_id): index for index, post in posts.items()}
        stored = self._store(session, [posts[index] for index in last.values()], now, request_id)
        seen: set[tuple[str, str]] = set()
        for index, post in posts.items():
            key = (post.source, post.external_id)
            post_id, status = stored[key]
            if key in seen:  # it came again within the batch
                status = "unchanged" if posts[last[key]].record_hash == post.record_hash else "updated"
            seen.add(key)
            verdicts[index] = Verdict(index, status, post_id)
        return [verdicts[index] for index in sorted(verdicts)]

    def delete(self, session: Session, post_id: uuid.UUID, *, now: datetime, request_id: str | None = None) -> None:
        """Remove a post: gone from every answer at once, and from the store as soon as a worker gets to it."""
        loosen(session, [post_id], now=now)
        gone = session.execute(delete(Post).where(Post.id == post_id).returning(Post.id)).first()
        if gone is None:
            raise NotFound(f"there is no post {post_id}")
        session.execute(text("DELETE FROM work WHERE post_id = :id"), {"id": post_id})
        work.add(session, Stage.ERASE, [post_id], now=now, request_id=request_id)
        self._jobs.after(session, [Stage.ERASE])

    def _refuse_media(self, session: Session, posts: dict[int, PostIn], verdicts: dict[int, Verdict]) -> None:
        wanted = {item.upload_id for post in posts.values() for item in post.media if item.upload_id}
        known = set(session.scalars(select(Upload.id).where(Upload.id.in_(wanted)))) if wanted else set()
        for index, post in [item for item in posts.items() if item[1].media]:
            problems = [
                FieldProblem(f"media.{n}.upload_id", "there is no such upload")
                for n, item in enumerate(post.media)
                if item.upload_id and item.upload_id not in known
            ]
            if len(post.media) > self._max_media:
                problems.append(FieldProblem("media", f"at most {self._max_media} media a post"))
            if problems:
                verdicts[index] = Verdict(index, "rejected", problems=problems)
                del posts[index]

    def _store(
        self, session: Session, posts: Sequence[PostIn], now: datetime, request_id: str | None
    ) -> dict[tuple[str, str], tuple[uuid.UUID, Outcome]]:
        if not posts:
            return {}
        written = write_posts(session, posts, self._author_key, now=now, request_id=request_id)
        anew = [(row.id, row.post) for row in written if row.media_changed]
        write_media(session, anew, now=now)
        fetch = [post_id for post_id, post in anew if any(item.url for item in post.media)]
        here = [post_id for post_id, post in anew if any(item.upload_id for item in post.media)]
        work.add(session, Stage.EXTRACT, fetch, now=now, request_id=request_id)
        work.add(session, Stage.UNDERSTAND, here, now=now, request_id=request_id)
        changed = any(row.outcome != "unchanged" for row in written)
        asked = {Stage.EXTRACT: fetch, Stage.UNDERSTAND: here, Stage.INDEX: changed}
        self._jobs.after(session, [stage for stage, any_ in asked.items() if any_])
        return {(row.post.source, row.post.external_id): (row.id, row.outcome) for row in written}


def get_post(session: Session, post_id: uuid.UUID) -> tuple[Post, list[Media]]:
    """A post with its media in order.

    Raises:
        NotFound: there is no such post.
    """
    post = session.get(Post, post_id)
    if post is None:
        raise NotFound(f"there is no post {post_id}")
    media = session.scalars(select(Media).where(Media.post_id == post_id).order_by(Media.position))
    return post, list(media)
