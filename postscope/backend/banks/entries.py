"""Entries of banks: their hashes, made from posts, uploads or taken as given; every change in the audit log."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from postscope.backend import audit
from postscope.backend.auth import Caller
from postscope.backend.banks import catalogue, changes
from postscope.backend.banks.probing import Unchecked, told_of
from postscope.backend.banks.schema import EntryChangeIn, EntryIn, HashIn, changes_of
from postscope.backend.errors import Invalid, NotFound
from postscope.backend.tables import BankEntry, BankSignal, BankVector, Upload
from postscope.indexing.fingerprints import ExactText, Shingles
from postscope.indexing.known.signals import BadSignal, Kind, parse_hash, parse_vpdq
from postscope.indexing.normalise import storable
from postscope.indexing.types import Vectors


@dataclass(frozen=True, slots=True)
class NewSignal:
    """One hash of an entry that is to be written; see ``BankSignal``."""

    kind: Kind
    value: bytes
    text: str | None = None
    place: int | None = None
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Content:
    """What an entry is made of.

    Attributes:
        signals: its hashes; one or more.
        vectors: by part, (n, dim), in the space named by ``space``.
        left_out: parts that it is not known by, since nothing can be made of them.
    """

    signals: Sequence[NewSignal]
    space: str | None = None
    vectors: dict[str, Vectors] | None = None
    left_out: Sequence[Unchecked] = ()


def of_hashes(hashes: Sequence[HashIn], field: str = "hashes") -> Content:
    """An entry that is known by its hashes alone.

    Raises:
        Invalid: a hash is none; names its place and the reason.
    """
    signals: list[NewSignal] = []
    for number, given in enumerate(hashes):
        try:
            signals += signals_of(given.kind, given.value)
        except BadSignal as error:
            raise Invalid.of(f"{field}.{number}.value", str(error)) from error
    return Content(signals)


def signals_of(kind: str, value: str) -> list[NewSignal]:
    """The hashes that one written hash stands for; a text has two.

    Raises:
        BadSignal: it is none.
    """
    if kind == "text":
        return of_text(value)
    if kind == "vpdq":
        return [NewSignal("vpdq", parse_vpdq(value))]
    kept: Kind = "text" if kind == "text_hash" else kind  # type: ignore[assignment]
    return [NewSignal(kept, parse_hash(kind, value))]


def of_text(text: str, place: int | None = None) -> list[NewSignal]:
    """Hashes of a text.

    Raises:
        BadSignal: it has no words to know it by.
    """
    exact, shingles = ExactText().fingerprint(text), Shingles().fingerprint(text)
    if exact is None:
        raise BadSignal("the text has no letter or digit outside its links")
    signals = [NewSignal("text", exact.value, storable(text), place)]
    return signals if shingles is None else [*signals, NewSignal("shingles", shingles.value, None, place)]


def add(
    session: Session, bank_id: uuid.UUID, given: EntryIn, content: Content, caller: Caller, *, now: datetime
) -> BankEntry:
    """Add an entry; every process matches with it within seconds of the commit.

    Raises:
        NotFound, Forbidden: the caller may not see or not change the bank.
        Invalid: there is nothing to know it by.
    """
    bank = catalogue.writable(session, bank_id, caller)
    if given.upload_id is not None and not _held(session, given.upload_id):
        raise Invalid.of("upload_id", "there is no such upload")
    if not content.signals:
        raise Invalid.of("post_id" if given.post_id else "upload_id", "there is nothing in it to know it by")
    entry = BankEntry(
        id=catalogue.new_id(),
        bank_id=bank.id,
        origin="post" if given.post_id else "upload" if given.upload_id else "hash",
        post_id=given.post_id,
        upload_id=given.upload_id,
        severity=given.severity,
        source=storable(given.source),
        note=storable(given.note),
        tags=[storable(tag) for tag in given.tags],
        thresholds=dict(given.thresholds),
        enabled=given.enabled,
        expires_at=given.expires_at,
        created_by=caller.name,
        created_at=now,
        updated_at=now,
    )
    session.add(entry)
    session.flush()
    _write_content(session, entry.id, content)
    told = given.model_dump(mode="json", exclude={"hashes", "note"}, exclude_defaults=True)
    told["kinds"] = sorted({signal.kind for signal in content.signals})
    if content.left_out:
        told["left_out"] = told_of(content.left_out)
    _record(session, entry, "bank_entry.add", caller.name, told, now)
    return entry


def change(session: Session, entry_id: uuid.UUID, given: EntryChangeIn, caller: Caller, *, now: datetime) -> BankEntry:
    """Change an entry.

    Raises:
        NotFound, Forbidden: the caller may not see or not change its bank.
    """
    entry = get(session, entry_id, caller, write=True)
    told = changes_of(given)
    if told.pop("quarantined", None) is False:
        entry.quarantined_at, entry.quarantine_reason = None, None
    for name, value in told.items():
        if value is not None or name == "expires_at":
            setattr(entry, name, value)
    entry.updated_at = now
    evidence = given.model_dump(mode="json", exclude_unset=True, exclude={"note"})
    _record(session, entry, "bank_entry.change", caller.name, evidence, now)
    return entry


def remove(session: Session, entry_id: uuid.UUID, caller: Caller, *, now: datetime) -> None:
    """Remove an entry with its matches and what was said of them.

    Raises:
        NotFound, Forbidden: the caller may not see or not change its bank.
    """
    entry = get(session, entry_id, caller, write=True)
    evidence = {"bank": str(entry.bank_id), "severity": entry.severity}
    session.delete(entry)
    session.flush()
    _record(session, entry, "bank_entry.remove", caller.name, evidence, now)


def quarantine(session: Session, entry: BankEntry, reason: str, *, now: datetime) -> None:
    """Let an entry match nothing until a person lifts it."""
    entry.quarantined_at, entry.quarantine_reason, entry.updated_at = now, reason, now
    _record(session, entry, "bank_entry.quarantine", "hygiene", {"reason": reason}, now)


def get(session: Session, entry_id: uuid.UUID, caller: Caller, *, write: bool = False) -> BankEntry:
    """An entry that the caller may see (or change).

    Raises:
        NotFound, Forbidden: the caller may not.
    """
    entry = session.get(BankEntry, entry_id)
    if entry is None:
        raise NotFound(f"there is no entry {entry_id}")
    try:
        (catalogue.writable if write else catalogue.readable)(session, entry.bank_id, caller)
    except NotFound:
        raise NotFound(f"there is no entry {entry_id}") from None
    return entry


def page(
    session: Session, bank_id: uuid.UUID, caller: Caller, *, after: uuid.UUID | None, limit: int
) -> list[BankEntry]:
    """Entries of a bank, the oldest first.

    Raises:
        NotFound: the caller may not see it.
    """
    catalogue.readable(session, bank_id, caller)
    query = select(BankEntry).where(BankEntry.bank_id == bank_id).order_by(BankEntry.id).limit(limit)
    return list(session.scalars(query if after is None else query.where(BankEntry.id > after)))


def signals(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[BankSignal]]:
    """Hashes of entries, in the order they were given."""
    found: dict[uuid.UUID, list[BankSignal]] = {entry: [] for entry in ids}
    for row in session.scalars(select(BankSignal).where(BankSignal.entry_id.in_(ids)).order_by(BankSignal.id)):
        found[row.entry_id].append(row)
    return found


def spaces(session: Session) -> dict[str, int]:
    """How many vectors there are of each space."""
    rows = session.execute(select(BankVector.space, func.count()).group_by(BankVector.space))
    return {row[0]: row[1] for row in rows}


def _held(session: Session, upload_id: uuid.UUID) -> bool:
    """Whether an upload is there; from here to the commit no sweep takes it away."""
    return session.get(Upload, upload_id, with_for_update={"key_share": True, "read": True}) is not None


def _write_content(session: Session, entry_id: uuid.UUID, content: Content) -> None:
    session.add_all(
        BankSignal(
            entry_id=entry_id, kind=signal.kind, value=signal.value, text=signal.text, place=signal.place,
            turn=signal.turn,
        )
        for signal in content.signals
    )  # fmt: skip
    for part, vectors in (content.vectors or {}).items():
        session.add_all(
            BankVector(
                entry_id=entry_id, space=content.space, part=part, number=number,
                vector=vector.astype("<f4").tobytes(),
            )
            for number, vector in enumerate(vectors)
        )  # fmt: skip


def _record(
    session: Session, entry: BankEntry, action: str, actor: str, evidence: Mapping[str, object], now: datetime
) -> None:
    audit.record(
        session, actor=actor, action=action, subject=f"bank_entry:{entry.id}", evidence=dict(evidence), now=now
    )  # fmt: skip
    changes.note(session, [entry.id], now=now)
