"""Imports of banks: the whole file is checked first, then all of it is written in one transaction, or nothing."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Final

import orjson
from psycopg import Cursor
from psycopg.types.json import Jsonb
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from postscope.backend import audit
from postscope.backend.auth import Caller
from postscope.backend.banks import catalogue, changes
from postscope.backend.banks.cells import BadLine
from postscope.backend.banks.entries import NewSignal
from postscope.backend.banks.exchange import Format, Line, Told, read, write
from postscope.backend.database import Database
from postscope.backend.errors import FieldProblem, Invalid
from postscope.backend.tables import Bank, BankEntry, BankSignal

MAX_ENTRIES: Final = 2_000_000
MAX_PROBLEMS: Final = 100
"""So many bad lines are named; the count is of all."""
_PAGE: Final = 5_000


@dataclass(slots=True)
class Imported:
    """What came of an import."""

    import_id: uuid.UUID
    entries: int = 0
    duplicates: int = 0
    rejected: int = 0
    problems: list[FieldProblem] = field(default_factory=list)

    @property
    def note(self) -> str | None:
        """Said where nothing was in the file, as in that of an empty bank; else None."""
        if self.entries or self.duplicates or self.rejected:
            return None
        return "there is no entry in the file, only its header"


def load(
    database: Database,
    bank_id: uuid.UUID,
    file: BinaryIO,
    format: Format,
    caller: Caller,
    *,
    now: datetime,
    signal_type: str | None = None,
    skip_bad: bool = False,
) -> Imported:
    """Take a file into a bank. A signal that the bank has already is counted as a duplicate, and left out.

    Args:
        database: where the bank is.
        bank_id: the caller may change it.
        file: UTF-8, a byte order mark may be before it.
        format: see ``exchange``.
        caller: who imports.
        now: the time.
        signal_type: where the lines do not name it.
        skip_bad: leave bad lines out instead of refusing the file.

    Raises:
        NotFound, Forbidden: the caller may not see or not change the bank.
        Invalid: the file is empty; or lines are bad; each is named with its number and the reason, and nothing was
            written.
    """
    import_id = catalogue.new_id()
    result = Imported(import_id)
    with database.session() as session:
        bank = catalogue.writable(session, bank_id, caller)
        session.execute(text("SET LOCAL statement_timeout = 0"))
        _stage(session, _checked(file, format, signal_type, bank, result))
        if result.rejected and not skip_bad:
            raise Invalid(f"{result.rejected} lines are bad; nothing was taken", problems=result.problems)
        _take_over(session, bank, result, caller, now)
        if result.entries:
            audit.record(
                session, actor=caller.name, action="bank.import", subject=f"bank:{bank_id}",
                evidence={"import": str(import_id), "entries": result.entries, "duplicates": result.duplicates,
                          "rejected": result.rejected, "format": format},
                now=now,
            )  # fmt: skip
            changes.note(session, [], now=now, import_id=import_id)
    return result


def dump(
    database: Database, bank_id: uuid.UUID, format: Format, caller: Caller, *, signal_type: str | None = None
) -> Iterator[str]:
    """A bank as a file, a piece at a time.

    Raises:
        NotFound: the caller may not see it.
        Invalid: ``te`` without a type, or a type that is none.
    """
    if format == "te" and signal_type is None:
        raise Invalid.of("signal_type", "a te file holds signals of one type: name it")
    with database.session() as session:
        bank = catalogue.readable(session, bank_id, caller)
        name, harmless = bank.name, bank.harmless
    told = ((entry, harmless) for entry in _kept(database, bank_id))
    lines = write(told, format, collab=name, signal_type=signal_type)
    try:
        first = next(lines, "")
    except BadLine as error:
        raise Invalid.of("signal_type", str(error)) from error
    return _chained(first, lines)


def _chained(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _checked(
    file: BinaryIO, format: Format, signal_type: str | None, bank: Bank, result: Imported
) -> Iterator[tuple[int, Told]]:
    wrapped = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    count = 0
    try:
        for line in read(wrapped, format, signal_type=signal_type):
            problem = line.problem or _unfit(line, bank)
            if problem is not None or line.entry is None:
                _reject(result, f"line {line.number}", problem or "nothing in it")
                continue
            count += 1
            if count > MAX_ENTRIES:
                raise Invalid.of("file", f"more than {MAX_ENTRIES:,} entries; split it")
            yield line.number, line.entry
        if format != "csv" and not count and not result.rejected:  # a csv of an empty bank still has its header
            raise Invalid.of("file", "is empty: there is no entry in it")
    except UnicodeDecodeError as error:
        raise Invalid.of("file", f"is no UTF-8: {error.reason}") from error
    except BadLine as error:
        raise Invalid.of("file", str(error)) from error
    finally:
        wrapped.detach()


def _unfit(line: Line, bank: Bank) -> str | None:
    """What is harmless does not belong among what is harmful, nor the other way."""
    if line.entry is None or line.entry.harmless is None or line.entry.harmless == bank.harmless:
        return None
    kind = "a harmless bank" if bank.harmless else "a bank of harmful content"
    return f"its category says otherwise, and this is {kind}"


def _reject(result: Imported, where: str, why: str) -> None:
    result.rejected += 1
    if len(result.problems) < MAX_PROBLEMS:
        result.problems.append(FieldProblem(where, why))


def _stage(session: Session, entries: Iterable[tuple[int, Told]]) -> None:
    """Into a table of this transaction alone; a signal that comes twice is kept once."""
    cursor = _cursor(session)
    cursor.execute(
        "CREATE TEMPORARY TABLE staged (line bigint, number int, id uuid, kind text, value bytea, words text, "
        "told jsonb) ON COMMIT DROP"
    )
    with cursor.copy("COPY staged FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int8", "int4", "uuid", "text", "bytea", "text", "jsonb"])
        for line, told in entries:
            entry_id, rest = catalogue.new_id(), _rest(told)
            for number, signal in enumerate(told.signals):
                copy.write_row((line, number, entry_id, signal.kind, signal.value, signal.text, rest))


def _rest(told: Told) -> Any:
    return Jsonb(
        {
            "severity": told.severity,
            "source": told.source,
            "note": told.note,
            "tags": list(told.tags),
            "thresholds": dict(told.thresholds),
            "enabled": told.enabled,
            "expires_at": told.expires_at.isoformat() if told.expires_at else None,
        },
        dumps=orjson.dumps,
    )


def _take_over(session: Session, bank: Bank, result: Imported, caller: Caller, now: datetime) -> None:
    """An entry is known by its first signal: its hash, or the exact hash of its text."""
    cursor = _cursor(session)
    cursor.execute("CREATE INDEX ON staged (id)")
    cursor.execute("ANALYZE staged")
    cursor.execute(
        """
        CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS
        SELECT DISTINCT ON (s.kind, s.value) s.id, s.told FROM staged s
        WHERE s.number = 0 AND NOT EXISTS (
            SELECT 1 FROM bank_signals k JOIN bank_entries e ON e.id = k.entry_id
            WHERE e.bank_id = %s AND k.kind = s.kind AND k.value = s.value AND k.turn = 0)
        ORDER BY s.kind, s.value, s.line
        """,
        (bank.id,),
    )
    cursor.execute(
        """
        INSERT INTO bank_entries (id, bank_id, origin, severity, source, note, tags, thresholds, enabled, expires_at,
            import_id, created_by, created_at, updated_at)
        SELECT id, %s, 'hash', told->>'severity', told->>'source', told->>'note',
            ARRAY(SELECT jsonb_array_elements_text(told->'tags')), told->'thresholds', (told->>'enabled')::boolean,
            (told->>'expires_at')::timestamptz, %s, %s, %s, %s
        FROM fresh
        """,
        (bank.id, result.import_id, caller.name, now, now),
    )
    result.entries = cursor.rowcount
    cursor.execute(
        "INSERT INTO bank_signals (entry_id, kind, value, text) SELECT s.id, s.kind, s.value, s.words "
        "FROM staged s JOIN fresh f ON f.id = s.id ORDER BY s.id, s.number"
    )
    cursor.execute("SELECT count(*) FROM staged WHERE number = 0")
    row = cursor.fetchone()
    result.duplicates = int(row[0] if row else 0) - result.entries


def _cursor(session: Session) -> Cursor[Any]:
    """Of the session's own connection and transaction: COPY is not to be had otherwise."""
    connection: Any = session.connection().connection.driver_connection
    cursor: Cursor[Any] = connection.cursor()
    return cursor


def _kept(database: Database, bank_id: uuid.UUID) -> Iterator[Told]:
    after = uuid.UUID(int=0)
    while True:
        with database.session() as session:
            entries = list(
                session.scalars(
                    select(BankEntry)
                    .where(BankEntry.bank_id == bank_id, BankEntry.id > after)
                    .order_by(BankEntry.id)
                    .limit(_PAGE)
                )
            )
            signals = _signals(session, [entry.id for entry in entries])
        if not entries:
            return
        yield from (_told(entry, signals.get(entry.id, [])) for entry in entries)
        after = entries[-1].id


def _signals(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[NewSignal]]:
    found: dict[uuid.UUID, list[NewSignal]] = {}
    for row in session.scalars(select(BankSignal).where(BankSignal.entry_id.in_(ids)).order_by(BankSignal.id)):
        signal = NewSignal(row.kind, row.value, row.text, row.place, row.turn)  # type: ignore[arg-type]
        found.setdefault(row.entry_id, []).append(signal)
    return found


def _told(entry: BankEntry, signals: Sequence[NewSignal]) -> Told:
    return Told(
        tuple(signals),
        severity=entry.severity,  # type: ignore[arg-type]
        source=entry.source,
        note=entry.note,
        tags=tuple(entry.tags),
        thresholds=tuple(sorted(entry.thresholds.items())),
        enabled=entry.enabled,
        expires_at=entry.expires_at,
    )
