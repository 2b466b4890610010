"""Checked posts to rows, and asking for the indexing of what is new or changed in the same transaction.

A batch of posts that are all new, which is most of what comes, is copied in; any other batch is one statement that
tells new, changed and unchanged posts apart.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
import psycopg
import uuid_utils
from sqlalchemy import delete, select, text, tuple_
from sqlalchemy.orm import Session

from postscope.backend.loose_blobs import loosen
from postscope.backend.post_schema import PostIn, author_hash
from postscope.backend.tables import Media, Post, Upload
from postscope.backend.work import ASKED_AGAIN, Stage

COPY_FROM = 50
"""Posts in a batch from which copying is faster: it takes four more turns with the database."""

Stored = Literal["accepted", "updated", "unchanged"]

Key = tuple[str, str]
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one post. ``media_changed``: its media are to be written anew."""

    post: PostIn
    id: uuid.UUID
    outcome: Stored
    media_changed: bool


def write_posts(
    session: Session, posts: Sequence[PostIn], author_key: bytes, *, now: datetime, request_id: str | None
) -> list[Written]:
    """Write posts of different identities, and ask for the index stage of those that are new or changed."""
    # One order for everybody, so that two batches with the same posts cannot lock each other out.
    ordered = sorted(posts, key=_key)
    given = {"stage": Stage.INDEX.value, "now": now, "request_id": request_id}
    copied = None
    if len(posts) >= COPY_FROM and not _any_known(session, ordered):
        copied = _copied(session, ordered, author_key, given)
    return copied if copied is not None else _upserted(session, ordered, author_key, given)


def _key(post: PostIn) -> Key:
    return post.source, post.external_id


def _new_id() -> uuid.UUID:
    return uuid.UUID(int=uuid_utils.uuid7().int)


def _record(post: PostIn, id: uuid.UUID, author_key: bytes) -> Record:
    return {
        "id": id,
        "source": post.source,
        "external_id": post.external_id,
        "author_hash": author_hash(author_key, post.author) if post.author else None,
        "created_at": post.created_at,
        "text": post.text or "",
        "language": post.language,
        "tags": post.tags,
        "metrics": post.metrics,
        "metadata": post.metadata,
        "record_hash": f"\\x{post.record_hash.hex()}",
        "content_hash": f"\\x{post.content_hash.hex()}",
    }


def _any_known(session: Session, posts: Sequence[PostIn]) -> bool:
    """Whether one of these identities may be in the table already; sure when there is one source."""
    names = {
        "sources": orjson.dumps(sorted({post.source for post in posts})).decode(),
        "external_ids": orjson.dumps([post.external_id for post in posts]).decode(),
    }
    return session.execute(_KNOWN, names).first() is not None


def _copied(
    session: Session, posts: Sequence[PostIn], author_key: bytes, given: Mapping[str, Any]
) -> list[Written] | None:
    """Write new posts, and ask for their indexing; None, and nothing is written, if one was there after all."""
    now = given["now"].isoformat()
    try:
        with session.begin_nested():
            driver: Any = session.connection().connection.driver_connection
            with driver.cursor() as cursor:
                ids = [_new_id() for _ in posts]
                with driver.pipeline():  # the database asks for the work while the records are made
                    cursor.execute(_ASK, {"ids": f"{{{','.join([id.hex for id in ids])}}}", **given})
                    records = [_record(post, id, author_key) for post, id in zip(posts, ids, strict=True)]
                with cursor.copy(_COPY) as rows:
                    for record in records:
                        rows.write_row(_row(record, now))
    except psycopg.errors.UniqueViolation:  # somebody else committed it a moment ago
        return None
    return [Written(post, id, "accepted", bool(post.media)) for post, id in zip(posts, ids, strict=True)]


def _row(record: Record, now: str) -> tuple[str | list[str] | None, ...]:
    """In the order of ``_COPY``. The driver writes strings several times faster than what they stand for."""
    return (
        record["id"].hex,
        record["source"],
        record["external_id"],
        record["author_hash"],
        record["created_at"].isoformat(),
        record["text"],
        record["language"],
        record["tags"] or "{}",
        orjson.dumps(record["metrics"]).decode(),
        orjson.dumps(record["metadata"]).decode(),
        record["record_hash"],
        record["content_hash"],
        now,
        now,
    )


def _upserted(session: Session, posts: Sequence[PostIn], author_key: bytes, given: Mapping[str, Any]) -> list[Written]:
    records = [_record(post, _new_id(), author_key) for post in posts]
    found = session.execute(_UPSERT, {"records": orjson.dumps(records).decode(), **given})
    known = {(row.source, row.external_id): row for row in found}
    unseen = _ids(session, [key for key, row in known.items() if row.id is None])
    written = []
    for post, record in zip(posts, records, strict=True):
        row = known.get(_key(post))
        if row is None:
            written.append(Written(post, record["id"], "accepted", bool(post.media)))
        else:
            outcome: Stored = "updated" if row.changed else "unchanged"
            written.append(Written(post, row.id or unseen[_key(post)], outcome, row.changed and row.content_changed))
    return written


def _ids(session: Session, keys: Sequence[Key]) -> dict[Key, uuid.UUID]:
    """Of posts that somebody else committed, word for word the same, while the statement was waiting for them."""
    if not keys:
        return {}
    query = select(Post.source, Post.external_id, Post.id).where(tuple_(Post.source, Post.external_id).in_(keys))
    return {(row.source, row.external_id): row.id for row in session.execute(query)}


# Two lists for one look into the index; as JSON, which the driver writes in no time.
_KNOWN = text(
    """
    SELECT 1 FROM posts WHERE source = ANY(ARRAY(SELECT json_array_elements_text(CAST(:sources AS json))))
        AND external_id = ANY(ARRAY(SELECT json_array_elements_text(CAST(:external_ids AS json)))) LIMIT 1
    """
)
_COPY = """
    COPY posts (id, source, external_id, author_hash, created_at, text, language, tags, metrics, metadata,
        record_hash, content_hash, received_at, updated_at) FROM STDIN
"""
_ASK = """
    INSERT INTO work (post_id, stage, run_after, created_at, request_id)
    SELECT unnest(CAST(%(ids)s AS uuid[])), %(stage)s, %(now)s, %(now)s, %(request_id)s
"""

# A post that is the same as before is not written at all; to tell it from one that was changed, the rows as they were
# are read in the same snapshot. New posts have the id that they were given: only the others are told of. Nobody can
# have asked for work on a new post yet: without looking for such work, its rows are written in two thirds of the time.
_UPSERT = text(
    f"""
    WITH given AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(CAST(:records AS jsonb)) AS r(
            id uuid, source text, external_id text, author_hash text, created_at timestamptz, text text,
            language text, tags text[], metrics jsonb, metadata jsonb, record_hash bytea, content_hash bytea)
    ), before AS MATERIALIZED (
        SELECT p.id, p.source, p.external_id, p.content_hash FROM posts p
        JOIN given g ON p.source = g.source AND p.external_id = g.external_id
    ), written AS (
        INSERT INTO posts (id, source, external_id, author_hash, created_at, text, language, tags, metrics,
            metadata, record_hash, content_hash, received_at, updated_at)
        SELECT id, source, external_id, author_hash, created_at, text, language, tags, metrics, metadata,
            record_hash, content_hash, :now, :now FROM given
        ON CONFLICT (source, external_id) DO UPDATE SET
            author_hash = excluded.author_hash, created_at = excluded.created_at, text = excluded.text,
            language = excluded.language, tags = excluded.tags, metrics = excluded.metrics,
            metadata = excluded.metadata, record_hash = excluded.record_hash,
            content_hash = excluded.content_hash, updated_at = excluded.updated_at, version = posts.version + 1
        WHERE posts.record_hash <> excluded.record_hash
        RETURNING id, source, external_id, content_hash, version
    ), queued AS (
        INSERT INTO work (post_id, stage, run_after, created_at, request_id)
        SELECT id, :stage, :now, :now, :request_id FROM written WHERE version = 1
    ), asked_again AS (
        INSERT INTO work (post_id, stage, run_after, created_at, request_id)
        SELECT id, :stage, :now, :now, :request_id FROM written WHERE version > 1
        {ASKED_AGAIN}
    )
    SELECT coalesce(w.id, b.id) AS id, g.source, g.external_id, w.id IS NOT NULL AS changed,
        coalesce(b.content_hash <> w.content_hash, true) AS content_changed
    FROM given g
    LEFT JOIN written w ON w.source = g.source AND w.external_id = g.external_id
    LEFT JOIN before b ON b.source = g.source AND b.external_id = g.external_id
    WHERE w.version IS DISTINCT FROM 1
    """  # noqa: S608 - what is put in is a constant
)


def write_media(session: Session, changed: Sequence[tuple[uuid.UUID, PostIn]], *, now: datetime) -> None:
    """Write the media of these posts anew."""
    if not changed:
        return
    loosen(session, [post_id for post_id, _ in changed], now=now)
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
