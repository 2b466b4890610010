"""Vector spaces."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Index,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


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
