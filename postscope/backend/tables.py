"""The tables. Vectors live in the store; these rows are the truth about posts, media, work and access."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Common column types and constraint names."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - read by SQLAlchemy on the class
        str: Text(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text()),
        list[uuid.UUID]: ARRAY(Uuid()),
        list[float]: ARRAY(Float()),
        bytes: LargeBinary(),
    }


class ApiKey(Base):
    """A key of the API; only its SHA-256 is kept."""

    __tablename__ = "api_keys"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    prefix: Mapped[str]
    key_hash: Mapped[bytes] = mapped_column(unique=True)
    roles: Mapped[list[str]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Post(Base):
    """One post. ``version`` counts its changes; the store has it when ``indexed_version`` has caught up."""

    __tablename__ = "posts"
    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        Index(None, "created_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    source: Mapped[str]
    external_id: Mapped[str]
    author_hash: Mapped[str | None]
    created_at: Mapped[datetime]
    text: Mapped[str]
    language: Mapped[str | None]
    tags: Mapped[list[str]]
    metrics: Mapped[dict[str, Any]]
    attributes: Mapped[dict[str, Any]] = mapped_column("metadata")
    record_hash: Mapped[bytes]
    content_hash: Mapped[bytes]
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    received_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    indexed_version: Mapped[int | None]
    indexed_at: Mapped[datetime | None]
    indexed_content: Mapped[bytes | None]


class Upload(Base):
    """A file that was given to ``POST /v1/media``; its bytes are in the blob store under their SHA-256."""

    __tablename__ = "uploads"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    mime: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    created_at: Mapped[datetime]


class Media(Base):
    """One medium of a post, in order. ``state``: waiting, ready (bytes are here), indexed, failed (with a reason)."""

    __tablename__ = "media"
    __table_args__ = (
        UniqueConstraint("post_id", "position"),
        CheckConstraint("state IN ('waiting', 'ready', 'indexed', 'failed')", name="state"),
        CheckConstraint("(url IS NULL) <> (upload_id IS NULL)", name="one_origin"),
        Index(None, "sha256"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    position: Mapped[int]
    url: Mapped[str | None]
    upload_id: Mapped[uuid.UUID | None]
    sha256: Mapped[str | None]
    mime: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    state: Mapped[str]
    error_code: Mapped[str | None]
    error: Mapped[str | None]


class Work(Base):
    """What is to be done, is being done, or was given up. What is done has no row any more.

    ``generation`` grows each time the work is asked for again, so that a worker that started before sees it.
    ``suspect`` work was in the hands of a worker that died: it is tried alone, never again in a batch.
    """

    __tablename__ = "work"
    __table_args__ = (
        UniqueConstraint("post_id", "stage"),
        CheckConstraint("state IN ('waiting', 'running', 'failed')", name="state"),
        Index("ix_work_claim", "stage", "run_after", "id", postgresql_where=sql("state = 'waiting'")),
        Index("ix_work_lease", "lease_until", postgresql_where=sql("state = 'running'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    post_id: Mapped[uuid.UUID]
    stage: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=sql("'waiting'"))
    generation: Mapped[int] = mapped_column(server_default=sql("1"))
    attempts: Mapped[int] = mapped_column(server_default=sql("0"))
    suspect: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    run_after: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    lease_token: Mapped[uuid.UUID | None]
    worker: Mapped[str | None]
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    request_id: Mapped[str | None]
    created_at: Mapped[datetime]


class SpaceRow(Base):
    """A vector space and its collection. ``state``: building, live, previous (kept for rollback), retired."""

    __tablename__ = "spaces"
    __table_args__ = (
        CheckConstraint("state IN ('building', 'live', 'previous', 'retired')", name="state"),
        Index("uq_spaces_live", "state", unique=True, postgresql_where=sql("state = 'live'")),
        Index("uq_spaces_building", "state", unique=True, postgresql_where=sql("state = 'building'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    encoder: Mapped[dict[str, Any]]
    dim: Mapped[int]
    collection: Mapped[str]
    layout: Mapped[int]
    state: Mapped[str]
    created_at: Mapped[datetime]
    switched_at: Mapped[datetime | None]
    backfill_after: Mapped[uuid.UUID | None]
    backfill_done: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))
    backfill_finished_at: Mapped[datetime | None]
    audit: Mapped[dict[str, Any] | None]


class ImportRun(Base):
    """How far the import of a file has come; written in the transaction of its batch, so a kill loses nothing."""

    __tablename__ = "imports"

    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    file: Mapped[str]
    position: Mapped[int] = mapped_column(BigInteger)
    accepted: Mapped[int] = mapped_column(BigInteger)
    updated: Mapped[int] = mapped_column(BigInteger)
    unchanged: Mapped[int] = mapped_column(BigInteger)
    rejected: Mapped[int] = mapped_column(BigInteger)
    rejects_bytes: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class SearchPage(Base):
    """The ranked hits of a search that has further pages: paging reads these, so it neither repeats nor loses one."""

    __tablename__ = "search_pages"
    __table_args__ = (Index(None, "expires_at"), {"prefixes": ["UNLOGGED"]})

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    key_id: Mapped[uuid.UUID]
    hits: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime]
