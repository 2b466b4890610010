"""Searches that have further pages."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Index,
)
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class SearchPage(Base):
    """The ranked hits of a search that has further pages: paging reads these, so it neither repeats nor loses one."""

    __tablename__ = "search_pages"
    __table_args__ = (Index(None, "expires_at"), {"prefixes": ["UNLOGGED"]})

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    key_id: Mapped[uuid.UUID]
    hits: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime]
