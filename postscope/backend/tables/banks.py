"""Banks of known content: their entries and hashes, and the log that tells processes what to read anew."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Identity, Index, SmallInteger
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from postscope.backend.tables.base import Base


class Bank(Base):
    """A named set of known content.

    Attributes:
        harmless: entries are known to be harmless: what they match is not held against a post.
        readers: roles that see it and its matches, beside admin.
        writers: roles that change it, beside admin.
    """

    __tablename__ = "banks"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(server_default=sql("''"))
    harmless: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    enabled: Mapped[bool] = mapped_column(Boolean, server_default=sql("true"))
    readers: Mapped[list[str]]
    writers: Mapped[list[str]]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class BankEntry(Base):
    """One known content of a bank.

    Attributes:
        origin: ``post``, ``upload`` or ``hash``.
        post_id: the post it was made from, which may be gone since.
        upload_id: the upload it was made from, which stays as long as the entry.
        severity: ``low``, ``medium``, ``high`` or ``critical``.
        tags: labels of the exchange that it came from.
        thresholds: its own, by kind of hash (``pdq``, ``vpdq``, ``text``, ``look_alike``); others take the default.
        quarantined_at: it flooded, and matches nothing until a person lets it.
        import_id: of the import that brought it.
    """

    __tablename__ = "bank_entries"
    __table_args__ = (
        CheckConstraint("origin IN ('post', 'upload', 'hash')", name="origin"),
        CheckConstraint("severity IN ('low', 'medium', 'high', 'critical')", name="severity"),
        Index(None, "bank_id", "id"),
        Index("ix_bank_entries_import_id", "import_id", postgresql_where=sql("import_id IS NOT NULL")),
        Index("ix_bank_entries_upload_id", "upload_id", postgresql_where=sql("upload_id IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    bank_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("banks.id", ondelete="CASCADE"))
    origin: Mapped[str]
    post_id: Mapped[uuid.UUID | None]
    upload_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("uploads.id"))
    severity: Mapped[str]
    source: Mapped[str] = mapped_column(server_default=sql("''"))
    note: Mapped[str] = mapped_column(server_default=sql("''"))
    tags: Mapped[list[str]] = mapped_column(server_default=sql("'{}'"))
    thresholds: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'"))
    enabled: Mapped[bool] = mapped_column(Boolean, server_default=sql("true"))
    expires_at: Mapped[datetime | None]
    quarantined_at: Mapped[datetime | None]
    quarantine_reason: Mapped[str | None]
    import_id: Mapped[uuid.UUID | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class BankSignal(Base):
    """One hash of an entry.

    Attributes:
        kind: ``pdq``, ``shingles``, ``text``, ``md5`` and ``sha256`` as in ``indexing.fingerprints``; ``scene`` and
            ``look`` as in ``indexing.copies``, by which edited copies of a picture are found and told, ``sound`` and
            ``sound_track`` by which copies of a sound are; ``vpdq`` holds the frames of a video, packed (see
            ``indexing.known.signals``).
        text: of kind ``text``, the text itself where it was given; None where its hash alone is known.
        place: position of the medium that it was made from; None for a text and for a hash that came alone.
        turn: of a PDQ, which turned or mirrored form of the picture it is of, 0 the picture as it is.
    """

    __tablename__ = "bank_signals"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('pdq', 'vpdq', 'md5', 'sha256', 'text', 'shingles', 'scene', 'look', 'sound', 'sound_track')",
            name="kind",
        ),
        Index(None, "entry_id"),
        Index(
            None, "kind", "value", postgresql_where=sql("kind NOT IN ('vpdq', 'look', 'scene', 'sound', 'sound_track')")
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    entry_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("bank_entries.id", ondelete="CASCADE"))
    kind: Mapped[str]
    value: Mapped[bytes]
    text: Mapped[str | None]
    place: Mapped[int | None]
    turn: Mapped[int] = mapped_column(SmallInteger, server_default=sql("0"))


class BankVector(Base):
    """A vector of an entry in one space, for look-alikes: float32, little-endian, centred and of unit length."""

    __tablename__ = "bank_vectors"
    __table_args__ = (CheckConstraint("part IN ('text', 'media')", name="part"), Index(None, "space"))

    entry_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("bank_entries.id", ondelete="CASCADE"), primary_key=True)
    space: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    vector: Mapped[bytes]


class BankChange(Base):
    """Something in the banks changed. Written last in its transaction, under one lock, so that numbers are in the
    order of commits and whoever has read up to a number has missed nothing before it.

    Attributes:
        entries: those to read anew; gone ones are found missing.
        import_id: all entries of this import are to be read.
    """

    __tablename__ = "bank_changes"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entries: Mapped[list[uuid.UUID]]
    import_id: Mapped[uuid.UUID | None]
    at: Mapped[datetime]
