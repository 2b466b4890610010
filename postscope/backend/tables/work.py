"""The durable work table."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Identity,
    Index,
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


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
