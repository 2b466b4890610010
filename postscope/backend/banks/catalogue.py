"""Banks: who sees which, and their changes. Every change is in the audit log."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

import uuid_utils
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from postscope.backend import audit
from postscope.backend.auth import Caller, Role
from postscope.backend.banks import changes
from postscope.backend.banks.schema import BankChangeIn, BankIn, changes_of
from postscope.backend.errors import Conflict, Forbidden, NotFound
from postscope.backend.tables import ActionRule, Bank, BankEntry


def new_id() -> uuid.UUID:
    """A fresh id that sorts by time."""
    return uuid.UUID(str(uuid_utils.uuid7()))


def create(session: Session, given: BankIn, caller: Caller, *, now: datetime) -> Bank:
    """A new bank.

    Raises:
        Conflict: ``bank_exists``: there is one of this name.
    """
    bank = Bank(
        id=new_id(),
        name=given.name,
        description=given.description,
        harmless=given.harmless,
        enabled=given.enabled,
        readers=sorted({role.value for role in (*given.readers, *given.writers)}),
        writers=sorted({role.value for role in given.writers}),
        created_by=caller.name,
        created_at=now,
        updated_at=now,
    )
    save(session, bank, "bank")
    _record(session, bank, "bank.create", caller, {"name": bank.name, "harmless": bank.harmless}, now)
    return bank


def change(session: Session, bank_id: uuid.UUID, given: BankChangeIn, caller: Caller, *, now: datetime) -> Bank:
    """Change a bank.

    Raises:
        NotFound, Forbidden: the caller may not see or not change it.
        Conflict: ``bank_exists``: there is another of this name.
    """
    bank = writable(session, bank_id, caller)
    told = changes_of(given)
    for name, value in told.items():
        if value is not None:
            setattr(bank, name, sorted({role.value for role in value}) if name in ("readers", "writers") else value)
    bank.readers = sorted({*bank.readers, *bank.writers})
    bank.updated_at = now
    save(session, bank, "bank")
    _record(session, bank, "bank.change", caller, given.model_dump(mode="json", exclude_unset=True), now)
    return bank


def remove(session: Session, bank_id: uuid.UUID, caller: Caller, *, now: datetime) -> None:
    """Remove a bank with its entries and matches.

    Raises:
        NotFound, Forbidden: the caller may not see or not change it.
    """
    bank = writable(session, bank_id, caller)
    entries, name = sizes(session, [bank_id]).get(bank_id, 0), bank.name
    session.execute(text("SET LOCAL statement_timeout = 0"))  # a million entries go with it
    session.delete(bank)
    session.flush()
    audit.record(
        session, actor=caller.name, action="bank.remove", subject=f"bank:{bank_id}",
        evidence={"name": name, "entries": entries}, now=now,
    )  # fmt: skip
    # A bank that is gone is no bank of anybody's view; its entries need not be named one by one.
    changes.note(session, [], now=now)


def visible(session: Session, caller: Caller) -> list[Bank]:
    """The banks that the caller may see, by name."""
    query = select(Bank).order_by(Bank.name)
    if Role.ADMIN not in caller.roles:
        query = query.where(Bank.readers.bool_op("&&")(sorted(role.value for role in caller.roles)))
    return list(session.scalars(query))


def readable(session: Session, bank_id: uuid.UUID, caller: Caller) -> Bank:
    """A bank that the caller may see.

    Raises:
        NotFound: there is none, or none that the caller may see.
    """
    bank = session.get(Bank, bank_id)
    if bank is None or not caller.may(map(Role, bank.readers)):
        raise NotFound(f"there is no bank {bank_id}")
    return bank


def writable(session: Session, bank_id: uuid.UUID, caller: Caller) -> Bank:
    """A bank that the caller may change.

    Raises:
        NotFound: there is none that the caller may see.
        Forbidden: it may be seen alone.
    """
    bank = readable(session, bank_id, caller)
    if not caller.may(map(Role, bank.writers)):
        raise Forbidden(f"this bank is changed by {', '.join(sorted({*bank.writers, Role.ADMIN.value}))} alone")
    return bank


def sizes(session: Session, ids: list[uuid.UUID]) -> dict[uuid.UUID, int]:
    """How many entries each of these banks has."""
    rows = session.execute(
        select(BankEntry.bank_id, func.count()).where(BankEntry.bank_id.in_(ids)).group_by(BankEntry.bank_id)
    )
    return {row[0]: row[1] for row in rows}


def save(session: Session, row: Bank | ActionRule, what: Literal["bank", "rule"]) -> None:
    """Write what has a name that no other of its kind may have.

    Raises:
        Conflict: ``bank_exists`` or ``rule_exists``.
    """
    name = row.name
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError as error:
        raise Conflict(f"there is a {what} {name!r} already", code=f"{what}_exists") from error


def _record(
    session: Session, bank: Bank, action: str, caller: Caller, evidence: dict[str, object], now: datetime
) -> None:
    audit.record(
        session, actor=caller.name, action=action, subject=f"bank:{bank.id}", evidence=evidence, now=now
    )  # fmt: skip
    changes.note(session, [], now=now)
