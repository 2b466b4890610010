"""Banks of known content and their entries."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from postscope.backend.auth import Caller, Role, require
from postscope.backend.banks import catalogue, entries, hygiene, making, matches, retro
from postscope.backend.banks.answers import UncheckedOut
from postscope.backend.banks.loading import NOT_HELD
from postscope.backend.banks.probing import told_of
from postscope.backend.banks.schema import BankChangeIn, BankIn, EntryChangeIn, EntryIn, RetroIn, Severity
from postscope.backend.routes.runs import RunOut
from postscope.backend.routes.state import runtime_of
from postscope.backend.tables import Bank, BankEntry, BankSignal
from postscope.indexing.known.signals import write_vpdq

router = APIRouter(prefix="/v1/banks", tags=["banks"])

Reader = Annotated[Caller, Depends(require(Role.MODERATOR, Role.ANALYST, Role.PRODUCT))]


class PrecisionOut(BaseModel):
    """How often people agreed with matches; ``precision`` is null while nobody has decided any."""

    matches: int
    confirmed: int
    rejected: int
    precision: float | None

    @classmethod
    def of(cls, told: hygiene.Precision) -> PrecisionOut:
        """As the API shows it."""
        return cls(
            matches=told.matches, confirmed=told.confirmed, rejected=told.rejected, precision=told.precision
        )  # fmt: skip


class BankOut(BaseModel):
    """One bank."""

    id: UUID
    name: str = Field(examples=["known spam"])
    description: str = Field(examples=["reported twice or more"])
    harmless: bool
    enabled: bool
    readers: list[str] = Field(examples=[["moderator"]])
    writers: list[str] = Field(examples=[["moderator"]])
    entries: int
    hygiene: PrecisionOut
    created_by: str = Field(examples=["mara"])
    created_at: datetime
    updated_at: datetime


class BankList(BaseModel):
    """By name."""

    banks: list[BankOut]


class SignalOut(BaseModel):
    """One hash of an entry, written as Meta's ``threatexchange`` writes it."""

    kind: str = Field(examples=["pdq"])
    value: str = Field(
        description="of a look or a sound_track its SHA-256",
        examples=["f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"],
    )
    place: int | None = Field(description="position of the medium it is of; null for a text or a hash given alone")
    turn: int = Field(description="which turned or mirrored form of the picture; 0 as it is")


class EntryOut(BaseModel):
    """One entry."""

    id: UUID
    bank_id: UUID
    origin: Literal["post", "upload", "hash"]
    post_id: UUID | None
    severity: Severity
    source: str = Field(examples=["partner list"])
    note: str = Field(examples=["scam of March"])
    tags: list[str] = Field(examples=[["scam"]])
    thresholds: dict[str, float]
    enabled: bool
    expires_at: datetime | None
    quarantined_at: datetime | None
    quarantine_reason: str | None
    signals: list[SignalOut]
    hygiene: PrecisionOut
    created_by: str = Field(examples=["mara"])
    created_at: datetime
    updated_at: datetime


class EntryAdded(EntryOut):
    """A new entry, and the parts of a post that it is not known by."""

    left_out: list[UncheckedOut] = Field(
        description="media of the post that nothing could be made of: their copies are found by equal files alone, or "
        "not at all"
    )


class EntryPage(BaseModel):
    """The oldest first; ``next_after`` asks for those after these."""

    entries: list[EntryOut]
    next_after: UUID | None


class BankMatchOut(BaseModel):
    """A post that matches an entry."""

    id: UUID
    post_id: UUID
    entry_id: UUID
    tier: Literal["copy", "look_alike"]
    kind: str = Field(examples=["pdq"])
    score: float
    distance: float
    part: Literal["text", "media"]
    place: int | None
    suppressed_by: UUID | None
    decision: Literal["confirmed", "rejected"] | None
    decided_by: str | None = Field(examples=["mara"])
    run_id: UUID | None = Field(description="the sweep through history that found it; null where the post was new")
    created_at: datetime


class MatchPage(BaseModel):
    """The newest first; ``next_before`` asks for those before these."""

    matches: list[BankMatchOut]
    next_before: UUID | None


@router.post("", status_code=201, summary="Make a bank")
def create_bank(
    request: Request, given: BankIn, caller: Annotated[Caller, Depends(require(Role.MODERATOR))]
) -> BankOut:
    """Make a bank. Those who may change it may also see it."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return _bank(session, catalogue.create(session, given, caller, now=runtime.clock()))


@router.get("", summary="List banks")
def list_banks(request: Request, caller: Reader) -> BankList:
    """The banks that the caller may see, with how good their matches were."""
    with runtime_of(request).database.session() as session:
        found = catalogue.visible(session, caller)
        ids = [bank.id for bank in found]
        sizes, told = catalogue.sizes(session, ids), hygiene.of_banks(session, ids)
        return BankList(banks=[_bank_out(bank, sizes.get(bank.id, 0), told[bank.id]) for bank in found])


@router.get("/{bank_id}", summary="Read a bank")
def read_bank(bank_id: UUID, request: Request, caller: Reader) -> BankOut:
    """One bank."""
    with runtime_of(request).database.session() as session:
        return _bank(session, catalogue.readable(session, bank_id, caller))


@router.patch("/{bank_id}", summary="Change a bank")
def change_bank(bank_id: UUID, given: BankChangeIn, request: Request, caller: Reader) -> BankOut:
    """Rename it, switch it on or off, say who sees and changes it. What is not named stays."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return _bank(session, catalogue.change(session, bank_id, given, caller, now=runtime.clock()))


@router.delete("/{bank_id}", status_code=204, summary="Remove a bank")
def delete_bank(bank_id: UUID, request: Request, caller: Reader) -> Response:
    """Remove a bank with its entries and their matches."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        catalogue.remove(session, bank_id, caller, now=runtime.clock())
    return Response(status_code=204)


@router.post("/{bank_id}/entries", status_code=201, summary="Add an entry")
def add_entry(bank_id: UUID, request: Request, caller: Reader, given: Annotated[EntryIn, Body()]) -> EntryAdded:
    """Add known content: a post, an upload, or hashes alone. New posts are checked with it within seconds; for posts
    that are here already start a retro-match. An upload must be readable: a video that can only be heard is refused."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        catalogue.writable(session, bank_id, caller)
    content = making.entry_content(runtime, given)
    with runtime.database.session() as session:
        made = _entry(session, entries.add(session, bank_id, given, content, caller, now=runtime.clock()))
    left_out = [UncheckedOut.model_validate(item) for item in told_of(content.left_out)]
    return EntryAdded(**made.model_dump(), left_out=left_out)


@router.get("/{bank_id}/entries", summary="List entries")
def list_entries(
    bank_id: UUID,
    request: Request,
    caller: Reader,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> EntryPage:
    """Entries of a bank with their hashes and how good their matches were."""
    with runtime_of(request).database.session() as session:
        found = entries.page(session, bank_id, caller, after=after, limit=limit)
        ids = [entry.id for entry in found]
        hashes, told = entries.signals(session, ids), hygiene.of_entries(session, ids)
        return EntryPage(
            entries=[_entry_out(entry, hashes[entry.id], told[entry.id]) for entry in found],
            next_after=ids[-1] if len(ids) == limit else None,
        )


@router.get("/entries/{entry_id}", summary="Read an entry")
def read_entry(entry_id: UUID, request: Request, caller: Reader) -> EntryOut:
    """One entry."""
    with runtime_of(request).database.session() as session:
        return _entry(session, entries.get(session, entry_id, caller))


@router.patch("/entries/{entry_id}", summary="Change an entry")
def change_entry(entry_id: UUID, given: EntryChangeIn, request: Request, caller: Reader) -> EntryOut:
    """Change an entry; its hashes stay. A widened one matches new posts at once, earlier ones after a retro-match."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        return _entry(session, entries.change(session, entry_id, given, caller, now=runtime.clock()))


@router.delete("/entries/{entry_id}", status_code=204, summary="Remove an entry")
def delete_entry(entry_id: UUID, request: Request, caller: Reader) -> Response:
    """Remove an entry with its matches. To keep those, switch it off instead."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        entries.remove(session, entry_id, caller, now=runtime.clock())
    return Response(status_code=204)


@router.post("/{bank_id}/retro", status_code=202, summary="Match against history")
def start_retro(bank_id: UUID, given: RetroIn, request: Request, caller: Reader) -> RunOut:
    """Check entries of a bank against all posts that are here. A dry run counts, with examples and how many pairs there
    are at each distance; thresholds can be tried in it. Follow it at ``GET /v1/runs/{run_id}``."""
    runtime = runtime_of(request)
    with runtime.database.session() as session:
        run = retro.start(
            session, bank_id, given.entries, caller,
            dry_run=given.dry_run, thresholds=dict(given.thresholds), now=runtime.clock(),
        )  # fmt: skip
        session.flush()
        session.refresh(run)
        return RunOut.of(run)


@router.get("/{bank_id}/matches", summary="List matches")
def list_matches(
    bank_id: UUID,
    request: Request,
    caller: Reader,
    entry_id: UUID | None = None,
    undecided: bool = False,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> MatchPage:
    """Present matches of a bank, the newest first; ``undecided`` leaves out those that somebody has judged."""
    with runtime_of(request).database.session() as session:
        found = matches.page(
            session, bank_id, caller, entry_id=entry_id, undecided=undecided, before=before, limit=limit
        )
        return MatchPage(
            matches=[BankMatchOut.model_validate(row, from_attributes=True) for row in found],
            next_before=found[-1].id if len(found) == limit else None,
        )


def _bank(session: Any, bank: Bank) -> BankOut:
    told = hygiene.of_banks(session, [bank.id])[bank.id]
    return _bank_out(bank, catalogue.sizes(session, [bank.id]).get(bank.id, 0), told)


def _bank_out(bank: Bank, size: int, told: hygiene.Precision) -> BankOut:
    columns = {column.key: getattr(bank, column.key) for column in Bank.__table__.columns}
    return BankOut(**columns, entries=size, hygiene=PrecisionOut.of(told))


def _entry(session: Any, entry: BankEntry) -> EntryOut:
    hashes = entries.signals(session, [entry.id])[entry.id]
    return _entry_out(entry, hashes, hygiene.of_entries(session, [entry.id])[entry.id])


def _entry_out(entry: BankEntry, signals: list[BankSignal], told: hygiene.Precision) -> EntryOut:
    columns = {column.key: getattr(entry, column.key) for column in BankEntry.__table__.columns}
    return EntryOut(
        **columns, signals=[_signal_out(row) for row in signals if row.kind != "sound"], hygiene=PrecisionOut.of(told)
    )


def _signal_out(row: BankSignal) -> SignalOut:
    value = write_vpdq(row.value) if row.kind == "vpdq" else row.value.hex()
    if row.kind in NOT_HELD:  # many kB of features, which nobody reads
        value = sha256(row.value).hexdigest()
    return SignalOut(kind=row.kind, value=value, place=row.place, turn=row.turn)
