"""The log of decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class AuditEntry(Base):
    """Who or what decided what about what, on which evidence, when. Rows are only ever added (a trigger sees to it).

    ``hash`` covers the row and ``previous_hash``, so that a changed or removed row breaks the chain after it.
    """

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "subject", "number"), Index(None, "action", "number"))

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    previous_hash: Mapped[bytes]
    hash: Mapped[bytes]
