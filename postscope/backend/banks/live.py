"""All banks in the memory of this process, caught up with the database before every use.

A change is taken over where it is noticed: one question for the newest number a batch of posts. A large one (an
import) is read on a thread of its own, while matching goes on with what was there before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from postscope.backend.banks import changes, vectors
from postscope.backend.banks.loading import Loaded, all_ids, batched, change_vectors, load, read_vectors
from postscope.backend.database import Database
from postscope.backend.tables import Bank, BankEntry
from postscope.indexing.known.index import KnownIndex

log = structlog.get_logger(__name__)

INLINE_ENTRIES = 5_000
"""Changes of up to so many entries are taken over at once, in a fraction of a second."""
_TURN_SECONDS = 2.0
"""For another thread that is taking over a small change; then matching goes on without it."""


@dataclass(frozen=True, slots=True)
class BankView:
    """A bank as matching sees it."""

    id: UUID
    name: str
    harmless: bool
    enabled: bool
    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known now.

    Attributes:
        index: of all entries.
        banks: by their numbers in it.
        change: the last change that is in it.
        asked: the last change that was committed when it was asked for; more than ``change`` while a large one is
            being read, and then nothing that matches nothing may be called harmless.
        space: whose vectors it has.
        unlooked: entries that have vectors of another space alone, until theirs are made anew.
    """

    index: KnownIndex
    banks: Mapping[int, BankView]
    change: int
    asked: int = 0
    space: str | None = None
    unlooked: int = 0

    @property
    def behind(self) -> bool:
        """Whether there are entries that it does not have yet."""
        return self.change < self.asked


class LiveBanks:
    """The banks of one process. Safe to call from several threads.

    Args:
        database: where they are kept.
        caught_up: called when what was read beside is there, with the number of its last change.
    """

    def __init__(self, database: Database, caught_up: Callable[[int], None] = lambda _: None) -> None:
        self._database = database
        self._caught_up = caught_up
        self._turn = threading.Lock()
        self._numbers: dict[UUID, int] = {}
        self._known = Known(KnownIndex(), {}, 0)
        self._loaded = False
        self._space: str | None = None
        self._reading: threading.Thread | None = None

    def fresh(self, space: str | None = None) -> Known:
        """All banks, with every change that is committed now, but for a large one that is being read beside: what is
        returned then says that it is ``behind``.

        Args:
            space: whose vectors are wanted, for look-alikes.
        """
        with self._database.session() as session:
            asked = changes.latest(session)
        if asked != self._known.change or (space is not None and space != self._space):
            self._catch_up(space or self._space)
        known = self._known
        return replace(known, asked=max(asked, known.change))

    @property
    def read_up_to(self) -> int:
        """The last change that is in memory."""
        return self._known.change

    def wait(self, timeout: float) -> bool:
        """Wait until what is read beside is there; whether it is."""
        reading = self._reading
        if reading is not None:
            reading.join(timeout)
        return reading is None or not reading.is_alive()

    def _catch_up(self, space: str | None) -> None:
        if not self._turn.acquire(timeout=_TURN_SECONDS if self._loaded else -1):
            return  # somebody is at it
        try:
            if self._is_reading():
                return
            with self._database.session() as session:
                found = changes.since(session, self._known.change)
                count = len(found.entries) + _import_size(session, found.imports)
            if self._loaded and count > INLINE_ENTRIES:
                self._reading = threading.Thread(
                    target=self._read_beside, args=(found, space), name="banks-catch-up", daemon=True
                )
                self._reading.start()
            else:
                self._apply(found, space)
        finally:
            self._turn.release()

    def _is_reading(self) -> bool:
        return self._reading is not None and self._reading.is_alive()

    def _read_beside(self, found: changes.Changes, space: str | None) -> None:
        try:
            self._apply(found, space)
            self._caught_up(found.last)
        except Exception:  # nobody waits for this thread; whoever asks next sees what is lacking, and reads it again
            log.exception("banks_not_read")

    def _apply(self, found: changes.Changes, space: str | None) -> None:
        with self._database.session() as session:
            banks = self._banks(session)
            index = self._known.index
            changed = self._changed(session, found)
            for chunk in self._chunks(session, changed):
                index.change(chunk)
            there = set(session.scalars(select(BankEntry.id).where(BankEntry.id.in_(found.entries))))
            index.remove([entry for entry in found.entries if entry not in there])
            unlooked = 0
            if space is not None:
                # A bank that is gone names no entries, so then all are read, as they are for another space.
                same = self._loaded and space == self._space and self._known.banks.keys() <= banks.keys()
                if same:
                    change_vectors(session, index, space, changed)
                else:
                    read_vectors(session, index, space)
                unlooked = vectors.count_lacking(session, space)
        self._space = space
        self._known = Known(index, banks, found.last, space=space, unlooked=unlooked)
        self._loaded = True

    def _banks(self, session: Session) -> dict[int, BankView]:
        views = {}
        for bank in session.scalars(select(Bank)):
            number = self._numbers.setdefault(bank.id, len(self._numbers))
            views[number] = view_of(bank)
        return views

    def _chunks(self, session: Session, changed: Sequence[UUID]) -> Iterator[list[Loaded]]:
        # the first time: all there is, and no list of it in the question
        batches = batched(changed) if self._loaded else all_ids(session)
        return load(session, self._numbers, batches)

    def _changed(self, session: Session, found: changes.Changes) -> list[UUID]:
        """Entries to be read anew; none the first time, when all are."""
        if not self._loaded:
            return []
        ids = dict.fromkeys(found.entries)
        for import_id in found.imports:
            ids |= dict.fromkeys(session.scalars(select(BankEntry.id).where(BankEntry.import_id == import_id)))
        return list(ids)


def view_of(bank: Bank) -> BankView:
    """A bank as matching sees it."""
    return BankView(bank.id, bank.name, bank.harmless, bank.enabled, tuple(bank.readers))


def _import_size(session: Session, imports: Sequence[UUID]) -> int:
    if not imports:
        return 0
    return int(session.scalar(select(func.count()).where(BankEntry.import_id.in_(imports))) or 0)
