"""Imports of files."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
)
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


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
