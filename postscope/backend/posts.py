"""Posts: take in, read, delete. The row, its media and its work are written in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import orjson
import uuid_utils
from pydantic import ValidationError
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from postscope.backend import work
from postscope.backend.errors import FieldProblem, NotFound
from postscope.backend.jobs import Jobs
from postscope.backend.post_schema import PostIn, author_hash, problems_of
from postscope.backend.tables import Media, Post, Upload
from postscope.backend.work import Stage

MAX_BATCH = 1_000

Outcome = Literal["accepted", "updated", "unchanged", "rejected"]


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

    def create(
        self, session: Session, rows: Sequence[Any], *, now: datetime, request_id: str | None = None
    ) -> list[Verdict]:
        """Take in a batch: each post gets its own verdict, and a bad one takes no other with it.

        Of two posts with one identity in a batch the later wins, as if they had come one after the other.
        """
        verdicts: dict[int, Verdict] = {}
        posts: dict[int, PostIn] = {}
        for index, row in enumerate(rows):
            try:
                posts[index] = row if isinstance(row, PostIn) else PostIn.model_validate(row)
            except ValidationError as error:
                verdicts[index] = Verdict(index, "rejected", problems=problems_of(error))
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
        gone = session.execute(delete(Post).where(Post.id == post_id).returning(Post.id)).first()
        if gone is None:
            raise NotFound(f"there is no post {post_id}")
        session.execute(text("DELETE FROM work WHERE post_id = :id"), {"id": post_id})
        work.add(session, Stage.ERASE, [post_id], now=now, request_id=request_id)
        self._jobs.after(session, [Stage.ERASE])

    def _refuse_media(self, session: Session, posts: dict[int, PostIn], verdicts: dict[int, Verdict]) -> None:
        wanted = {item.upload_id for post in posts.values() for item in post.media if item.upload_id}
        known = set(session.scalars(select(Upload.id).where(Upload.id.in_(wanted)))) if wanted else set()
        for index, post in list(posts.items()):
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
        stored: dict[tuple[str, str], tuple[uuid.UUID, Outcome]] = {}
        by_key = {(post.source, post.external_id): post for post in posts}
        media_changed: list[tuple[uuid.UUID, PostIn]] = []
        touched: list[uuid.UUID] = []
        # One order for everybody, so that two batches with the same posts cannot lock each other out.
        records = [self._record(by_key[key], now) for key in sorted(by_key)]
        for row in session.execute(_UPSERT, {"records": orjson.dumps(records).decode()}):
            key = (row.source, row.external_id)
            if row.changed:
                touched.append(row.id)
                if row.content_changed and (by_key[key].media or not row.inserted):
                    media_changed.append((row.id, by_key[key]))
            stored[key] = (row.id, "accepted" if row.inserted else "updated" if row.changed else "unchanged")
        fetch = _replace_media(session, media_changed)
        work.add(session, Stage.INDEX, touched, now=now, request_id=request_id)
        work.add(session, Stage.EXTRACT, fetch, now=now, request_id=request_id)
        self._jobs.after(session, [Stage.EXTRACT] * bool(fetch) + [Stage.INDEX] * bool(touched))
        return stored

    def _record(self, post: PostIn, now: datetime) -> dict[str, Any]:
        return {
            "id": str(uuid_utils.uuid7()),
            "source": post.source,
            "external_id": post.external_id,
            "author_hash": author_hash(self._author_key, post.author) if post.author else None,
            "created_at": post.created_at.isoformat(),
            "text": post.text or "",
            "language": post.language,
            "tags": post.tags,
            "metrics": post.metrics,
            "metadata": post.metadata,
            "record_hash": f"\\x{post.record_hash.hex()}",
            "content_hash": f"\\x{post.content_hash.hex()}",
            "now": now.isoformat(),
        }


# One statement a batch. A post that is the same as before is not written at all; to tell it from one that was
# changed, the rows as they were are read in the same snapshot.
_UPSERT = text(
    """
    WITH given AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(CAST(:records AS jsonb)) AS r(
            id uuid, source text, external_id text, author_hash text, created_at timestamptz, text text,
            language text, tags text[], metrics jsonb, metadata jsonb, record_hash bytea, content_hash bytea,
            now timestamptz)
    ), before AS MATERIALIZED (
        SELECT p.id, p.source, p.external_id, p.content_hash FROM posts p
        JOIN given g ON p.source = g.source AND p.external_id = g.external_id
    ), written AS (
        INSERT INTO posts (id, source, external_id, author_hash, created_at, text, language, tags, metrics,
            metadata, record_hash, content_hash, received_at, updated_at)
        SELECT id, source, external_id, author_hash, created_at, text, language, tags, metrics, metadata,
            record_hash, content_hash, now, now FROM given
        ON CONFLICT (source, external_id) DO UPDATE SET
            author_hash = excluded.author_hash, created_at = excluded.created_at, text = excluded.text,
            language = excluded.language, tags = excluded.tags, metrics = excluded.metrics,
            metadata = excluded.metadata, record_hash = excluded.record_hash,
            content_hash = excluded.content_hash, updated_at = excluded.updated_at, version = posts.version + 1
        WHERE posts.record_hash <> excluded.record_hash
        RETURNING id, source, external_id, content_hash, version
    )
    SELECT coalesce(w.id, b.id, p.id) AS id, g.source, g.external_id, w.id IS NOT NULL AS changed,
        coalesce(w.version = 1, false) AS inserted,
        coalesce(b.content_hash <> w.content_hash, true) AS content_changed
    FROM given g
    LEFT JOIN written w ON w.source = g.source AND w.external_id = g.external_id
    LEFT JOIN before b ON b.source = g.source AND b.external_id = g.external_id
    LEFT JOIN LATERAL (SELECT id FROM posts WHERE source = g.source AND external_id = g.external_id) p
        ON w.id IS NULL AND b.id IS NULL
    """
)


def _replace_media(session: Session, changed: Sequence[tuple[uuid.UUID, PostIn]]) -> list[uuid.UUID]:
    """Write the media of these posts anew; those that have something to fetch are returned."""
    if not changed:
        return []
    session.execute(delete(Media).where(Media.post_id.in_([post_id for post_id, _ in changed])))
    uploads = {item.upload_id for _, post in changed for item in post.media if item.upload_id}
    known = {row.id: row for row in session.scalars(select(Upload).where(Upload.id.in_(uploads)))} if uploads else {}
    rows = []
    for post_id, post in changed:
        for position, item in enumerate(post.media):
            upload = known.get(item.upload_id) if item.upload_id else None
            rows.append(
                Media(
                    id=uuid.uuid4(),
                    post_id=post_id,
                    position=position,
                    url=item.url,
                    upload_id=item.upload_id,
                    sha256=upload.sha256 if upload else None,
                    kind=upload.kind if upload else None,
                    mime=upload.mime if upload else None,
                    width=upload.width if upload else None,
                    height=upload.height if upload else None,
                    state="ready" if upload else "waiting",
                )
            )
    session.add_all(rows)
    return [post_id for post_id, post in changed if any(item.url for item in post.media)]


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
