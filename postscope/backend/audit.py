"""The audit log: append-only, and chained by hashes so that nobody can change the past unnoticed.

Each entry's hash is the SHA-256 of its number, time, actor, action, subject, evidence and the hash before it, as JSON
with sorted keys (the tamper-evident chain of Haber and Stornetta 1991). Whoever keeps the newest hash elsewhere can
also prove that nothing was cut off at the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from postscope.backend.tables import AuditEntry

GENESIS = bytes(32)
_LOCK = 0x61756469  # the bytes of "audi"
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """What a check of the chain found. ``broken_at`` is the first entry that does not fit, ``reason`` says why."""

    entries: int
    head: bytes
    broken_at: int | None = None
    reason: str | None = None


def record(
    session: Session, *, actor: str, action: str, subject: str, evidence: dict[str, Any], now: datetime
) -> AuditEntry:
    """Add an entry to this session's transaction. Writers wait for each other from here to their commits.

    Args:
        session: the entry exists when it commits, together with what it tells of.
        actor: a key's name, or the part of Postscope that decided.
        action: what was done, as ``noun.verb``.
        subject: what it was done to, as ``noun:id``.
        evidence: on what grounds, as JSON; no secrets, no texts of posts.
        now: the time.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    last = session.execute(
        select(AuditEntry.number, AuditEntry.hash).order_by(AuditEntry.number.desc()).limit(1)
    ).first()
    entry = AuditEntry(
        number=last.number + 1 if last else 1,
        at=now,
        actor=actor,
        action=action,
        subject=subject,
        # As it will be read again: what JSON cannot say must not be hashed.
        evidence=orjson.loads(orjson.dumps(evidence, default=str)),
        previous_hash=last.hash if last else GENESIS,
    )
    entry.hash = entry_hash(entry)
    session.add(entry)
    session.flush()
    return entry


def entry_hash(entry: AuditEntry) -> bytes:
    """SHA-256 over all that the entry says and the hash before it."""
    told = [
        entry.number,
        entry.at.astimezone(UTC).isoformat(),
        entry.actor,
        entry.action,
        entry.subject,
        entry.evidence,
        entry.previous_hash.hex(),
    ]
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).digest()


def verify(session: Session, *, head: bytes | None = None) -> AuditVerdict:
    """Check the whole chain from its first entry.

    Args:
        session: to read with.
        head: a hash that was written down earlier; the chain must contain it.
    """
    count, previous, met = 0, GENESIS, head is None
    for entry in _entries(session):
        count += 1
        reason = _fault(entry, count, previous)
        if reason:
            return AuditVerdict(count - 1, previous, entry.number, reason)
        previous = entry.hash
        met = met or previous == head
    if not met:
        return AuditVerdict(count, previous, count + 1, "the chain does not reach the given hash: entries are missing")
    return AuditVerdict(count, previous)


def entries(
    session: Session, *, subject: str | None = None, action: str | None = None, before: int | None = None, limit: int
) -> list[AuditEntry]:
    """The newest entries first; ``before`` is the number to go on from."""
    query = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(limit)
    if subject is not None:
        query = query.where(AuditEntry.subject == subject)
    if action is not None:
        query = query.where(AuditEntry.action == action)
    if before is not None:
        query = query.where(AuditEntry.number < before)
    return list(session.scalars(query))


def _fault(entry: AuditEntry, number: int, previous: bytes) -> str | None:
    if entry.number != number:
        return f"entry {number} is missing"
    if entry.previous_hash != previous:
        return "it does not follow the entry before it"
    if entry.hash != entry_hash(entry):
        return "what it says was changed"
    return None


def _entries(session: Session) -> Iterator[AuditEntry]:
    # In pages, so that a long log takes no memory; an entry never changes, so pages fit together.
    after = 0
    while True:
        page = list(
            session.scalars(
                select(AuditEntry).where(AuditEntry.number > after).order_by(AuditEntry.number).limit(_BATCH)
            )
        )
        yield from page
        if len(page) < _BATCH:
            return
        after = page[-1].number
        session.expunge_all()
