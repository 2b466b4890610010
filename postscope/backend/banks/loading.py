"""Entries of banks from the database, with their hashes and vectors, as matching holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np
from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, literal, select
from sqlalchemy.orm import Session

from postscope.backend.tables import Bank, BankEntry, BankSignal, BankVector
from postscope.indexing.copies import sounds
from postscope.indexing.known.index import KnownEntry, KnownIndex, KnownSignal
from postscope.indexing.sound_prints import unpack
from postscope.indexing.types import Vectors

_CHUNK = 20_000

NOT_HELD = ("look", "sound_track")
"""Hashes that are large, and read when they are needed."""

Loaded = tuple[KnownEntry, Sequence[KnownSignal]]


def of_entries(session: Session, ids: Sequence[UUID], thresholds: Mapping[str, float]) -> KnownIndex:
    """An index of these entries alone, switched on or not, for what is looked for in history.

    Sounds are in it under all codes that others are looked up by: a post has one a second, of any moment in it.

    Args:
        session: to read with.
        ids: those that are gone are left out.
        thresholds: in place of the entries' own, for the kinds that are named.
    """
    numbers = {bank_id: number for number, bank_id in enumerate(session.scalars(select(Bank.id)))}
    index = KnownIndex()
    for chunk in load(session, numbers, batched(list(ids))):
        heard = _asked_codes(session, [entry.id for entry, _ in chunk])
        index.change(
            [
                (
                    replace(entry, active=True, thresholds={**entry.thresholds, **thresholds}),
                    [*signals, *heard.get(entry.id, ())],
                )
                for entry, signals in chunk
            ]
        )
    return index


def _asked_codes(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[KnownSignal]]:
    rows = session.execute(
        select(BankSignal.entry_id, BankSignal.value)
        .where(BankSignal.entry_id == any_(literal(list(ids), ARRAY(Uuid))), BankSignal.kind == sounds.TRACK)
        .order_by(BankSignal.id)
    )
    found: dict[UUID, list[KnownSignal]] = {}
    for row in rows:
        codes = sounds.asked_codes(unpack(row.value))
        found.setdefault(row.entry_id, []).extend(KnownSignal("sound", code) for code in codes)
    return found


def load(session: Session, numbers: Mapping[UUID, int], batches: Iterator[Sequence[UUID]]) -> Iterator[list[Loaded]]:
    """Entries with their hashes, a batch of ids at a time; what is gone is left out."""
    for ids in batches:
        given = any_(literal(list(ids), ARRAY(Uuid)))  # one parameter, however many there are
        entries = session.execute(
            select(
                BankEntry.id,
                BankEntry.bank_id,
                BankEntry.thresholds,
                BankEntry.expires_at,
                BankEntry.enabled,
                BankEntry.quarantined_at,
            ).where(BankEntry.id == given)
        ).all()
        signals: dict[UUID, list[KnownSignal]] = {row.id: [] for row in entries}
        for row in session.execute(
            select(BankSignal.entry_id, BankSignal.kind, BankSignal.value)
            .where(BankSignal.entry_id == given, BankSignal.kind.not_in(NOT_HELD))
            .order_by(BankSignal.id)
        ):
            if row.entry_id in signals:
                signals[row.entry_id].append(KnownSignal(row.kind, row.value))
        yield [
            (
                KnownEntry(
                    row.id,
                    numbers[row.bank_id],
                    row.thresholds,
                    row.expires_at.timestamp() if row.expires_at else None,
                    row.enabled and row.quarantined_at is None,
                ),
                signals[row.id],
            )
            for row in entries
            if row.bank_id in numbers
        ]


def read_vectors(session: Session, index: KnownIndex, space: str, among: Sequence[ColumnElement[bool]] = ()) -> None:
    """Take the vectors of entries over; of those that ``among`` chooses alone, where there is any condition."""
    for part in ("text", "media"):
        ids, stacked = _vectors_of(session, space, part, among)
        held = index.vectors(part)
        if ids:
            index.set_vectors(part, stacked, ids)
        elif held is not None:
            index.set_vectors(part, np.empty((0, held[0].shape[1]), np.float32), [])


def change_vectors(session: Session, index: KnownIndex, space: str, changed: Sequence[UUID]) -> None:
    """Take over the vectors of entries that have changed; the others stay."""
    for ids in batched(changed):
        among = [BankEntry.id == any_(literal(list(ids), ARRAY(Uuid)))]
        for part in ("text", "media"):
            owners, stacked = _vectors_of(session, space, part, among)
            index.change_vectors(part, stacked, owners, ids)


def _vectors_of(
    session: Session, space: str, part: str, among: Sequence[ColumnElement[bool]]
) -> tuple[list[UUID], Vectors]:
    """Vectors of entries (n, dim), and of which each is; (0, 0) where there are none."""
    query = select(BankVector.entry_id, BankVector.vector).where(BankVector.space == space, BankVector.part == part)
    if among:
        query = query.join(BankEntry, BankEntry.id == BankVector.entry_id).where(*among)
    rows = session.execute(query.order_by(BankVector.entry_id, BankVector.number)).all()
    made = [np.frombuffer(row.vector, np.float32) for row in rows]
    return [row.entry_id for row in rows], np.stack(made) if made else np.empty((0, 0), np.float32)


def all_ids(session: Session) -> Iterator[Sequence[UUID]]:
    """The ids of all entries, in order, a batch at a time."""
    after = UUID(int=0)
    while True:
        ids = list(
            session.scalars(select(BankEntry.id).where(BankEntry.id > after).order_by(BankEntry.id).limit(_CHUNK))
        )
        if not ids:
            return
        yield ids
        after = ids[-1]


def batched(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    """These ids, a batch at a time."""
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
