"""Long work that somebody asked for: discoveries, sweeps, trainings."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class Run(Base):
    """One run of long work. ``state``: waiting, running, done, failed (with the reason), cancelled.

    Attributes:
        kind: what is run, such as ``topics.discover``.
        readers: roles that may see and cancel it.
        exclusive: of runs with the same value only one may be waiting or running.
        checkpoint: from where another process goes on when this one is killed.
        result: what came of it, small enough to show.
    """

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'running', 'done', 'failed', 'cancelled')", name="state"),
        Index("ix_runs_waiting", "created_at", postgresql_where=sql("state IN ('waiting', 'running')")),
        Index(None, "kind", "created_at"),
        Index(
            "uq_runs_exclusive",
            "exclusive",
            unique=True,
            postgresql_where=sql("exclusive IS NOT NULL AND state IN ('waiting', 'running')"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=sql("'waiting'"))
    params: Mapped[dict[str, Any]]
    actor: Mapped[str]
    readers: Mapped[list[str]]
    exclusive: Mapped[str | None]
    done: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))
    total: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[str] = mapped_column(server_default=sql("''"))
    checkpoint: Mapped[dict[str, Any] | None]
    result: Mapped[dict[str, Any] | None]
    attempts: Mapped[int] = mapped_column(server_default=sql("0"))
    cancel_asked: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    worker: Mapped[str | None]
    lease_token: Mapped[uuid.UUID | None]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
