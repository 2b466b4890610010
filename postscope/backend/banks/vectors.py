"""Vectors of entries in the live space, after it has changed: those that are lacking, and how they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from postscope.backend import runs
from postscope.backend.auth import Role
from postscope.backend.banks import changes
from postscope.backend.tables import BankEntry, BankSignal, BankVector, Run, SpaceRow
from postscope.indexing.types import Vectors

KIND: Final = "banks.vectors"
ACTOR: Final = "upkeep"
PATIENCE: Final = timedelta(hours=1)
"""After a run that failed, until it is tried again."""

_LACKING: Final = """
    FROM bank_vectors v JOIN bank_entries e ON e.id = v.entry_id
    WHERE v.space <> :space AND NOT EXISTS (
        SELECT 1 FROM bank_vectors n WHERE n.entry_id = v.entry_id AND n.part = v.part AND n.space = :space)
"""


@dataclass(frozen=True, slots=True)
class Lacking:
    """An entry whose vectors are of other spaces alone, and what they can be made of.

    Attributes:
        parts: that lack vectors: ``text``, ``media``.
        texts: its texts.
        files: SHA-256 of its files.
    """

    entry: UUID
    parts: tuple[str, ...]
    texts: tuple[str, ...]
    files: tuple[str, ...]


def count_lacking(session: Session, space: str, *, among: Sequence[ColumnElement[bool]] | None = None) -> int:
    """How many entries have vectors of other spaces alone, of one part at least.

    Args:
        session: to read with.
        space: the one that matters.
        among: which entries are meant; None: all that are switched on.
    """
    query = f"SELECT DISTINCT v.entry_id {_LACKING}"
    if among is None:
        among = (BankEntry.enabled.is_(True), BankEntry.quarantined_at.is_(None))
    lacking = text(query).bindparams(space=space).columns(BankVector.entry_id).subquery()
    chosen = select(func.count()).select_from(BankEntry).join(lacking, lacking.c.entry_id == BankEntry.id)
    return int(session.scalar(chosen.where(*among)) or 0)


def start(session: Session, *, now: datetime) -> Run | None:
    """Ask for the vectors that are lacking in the live space, unless that is under way or is known to be in vain."""
    space = session.scalar(select(SpaceRow.id).where(SpaceRow.state == "live"))
    if space is None:
        return None
    lacking = session.scalar(text(f"SELECT count(*) FROM (SELECT DISTINCT v.entry_id {_LACKING}) found"),  # noqa: S608
                             {"space": space})  # fmt: skip
    if not lacking or not _worth_it(session, space, int(lacking), now):
        return None
    return runs.start(
        session, KIND, {"space": space}, actor=ACTOR, readers=[Role.MODERATOR], now=now, exclusive=KIND
    )  # fmt: skip


def _worth_it(session: Session, space: str, lacking: int, now: datetime) -> bool:
    last = session.scalar(
        select(Run).where(Run.kind == KIND).order_by(Run.created_at.desc(), Run.id.desc()).limit(1)
    )  # fmt: skip
    if last is None:
        return True
    if last.state in ("waiting", "running"):
        return False
    if last.state == "done" and (last.result or {}).get("space") == space:
        return lacking > int((last.result or {}).get("lost", 0))
    return last.state == "done" or now - last.created_at >= PATIENCE


def lacking(session: Session, space: str, after: UUID, most: int) -> list[Lacking]:
    """The next entries that lack vectors of a space, in the order of their ids."""
    rows = session.execute(
        text(f"SELECT v.entry_id, array_agg(DISTINCT v.part ORDER BY v.part) AS parts {_LACKING} "
             "AND v.entry_id > :after GROUP BY v.entry_id ORDER BY v.entry_id LIMIT :most"),
        {"space": space, "after": after, "most": most},
    ).all()  # fmt: skip
    told: dict[UUID, tuple[list[str], list[str]]] = {row.entry_id: ([], []) for row in rows}
    for signal in session.scalars(
        select(BankSignal)
        .where(BankSignal.entry_id.in_(told), BankSignal.kind.in_(("text", "sha256")))
        .order_by(BankSignal.id)
    ):
        if signal.kind == "sha256":
            told[signal.entry_id][1].append(signal.value.hex())
        elif signal.text is not None:
            told[signal.entry_id][0].append(signal.text)
    return [
        Lacking(row.entry_id, tuple(row.parts), tuple(told[row.entry_id][0]), tuple(told[row.entry_id][1]))
        for row in rows
    ]


def keep(session: Session, space: str, made: Mapping[UUID, Mapping[str, Vectors]], *, now: datetime) -> Sequence[UUID]:
    """Write vectors of entries; every process reads them within seconds of the commit.

    Returns:
        The entries that are still there.
    """
    there = list(
        session.scalars(
            select(BankEntry.id)
            .where(BankEntry.id.in_(made))
            .order_by(BankEntry.id)
            .with_for_update(read=True, key_share=True)
        )
    )
    rows: list[dict[str, Any]] = [
        {"entry_id": entry, "space": space, "part": part, "number": number, "vector": vector.astype("<f4").tobytes()}
        for entry in there
        for part, vectors in made[entry].items()
        for number, vector in enumerate(vectors)
    ]
    if rows:
        session.execute(insert(BankVector).values(rows).on_conflict_do_nothing())
        changes.note(session, there, now=now)
    return there
