"""A new or widened entry against all history: which posts could match it, found by its hashes alone.

The sweep goes through the fingerprints of all posts in the order they were written, so it also meets those that come
while it runs, and goes on from the last one after a kill. Whatever it finds is checked again as a whole, as a new post
is: with every bank, as they are at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from postscope.backend import audit, runs
from postscope.backend.auth import Caller, Role
from postscope.backend.banks import catalogue, changes, live
from postscope.backend.errors import Invalid
from postscope.backend.tables import BankEntry, BankMatch, BankSignal, FingerprintRow, Run
from postscope.indexing.copies.scenes import RADIUS as SCENE_RADIUS
from postscope.indexing.fingerprints import PDQ_QUALITY
from postscope.indexing.known.index import EXACT, KnownIndex
from postscope.indexing.known.signals import DEFAULTS, LIMITS, text_bits

KIND: Final = "banks.retro"
EXAMPLES: Final = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One fingerprint of a post, as the sweep reads it."""

    seq: int
    post_id: UUID
    kind: str
    value: bytes
    quality: int
    frame: int | None


@dataclass(slots=True)
class Tried:
    """What a dry run has seen.

    Attributes:
        posts: how many would match.
        by_distance: of PDQ and shingles, how many pairs of post and entry at each distance in bits, also beyond the
            thresholds, so that another one can be chosen.
        examples: a few of the posts, the nearest first.
    """

    posts: int = 0
    by_distance: dict[str, dict[int, int]] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)


def start(
    session: Session,
    bank_id: UUID,
    entry_ids: Sequence[UUID],
    caller: Caller,
    *,
    dry_run: bool,
    thresholds: dict[str, float],
    now: datetime,
) -> Run:
    """Ask for a sweep with these entries, or with all of a bank's.

    Args:
        session: the run exists when it commits.
        bank_id: of the entries.
        entry_ids: none: all.
        caller: who asks; may change the bank.
        dry_run: only count, and show examples.
        thresholds: of a dry run, instead of the entries' own.
        now: the time.

    Raises:
        NotFound, Forbidden: the caller may not see or not change the bank.
        Invalid: an entry is not of this bank, or thresholds are given although it is no dry run.
        Conflict: ``run_exists``: the same sweep is waiting or running.
    """
    bank = catalogue.writable(session, bank_id, caller)
    if thresholds and not dry_run:
        raise Invalid.of("thresholds", "can be tried in a dry run alone; change the entry to apply them")
    known = set(session.scalars(select(BankEntry.id).where(BankEntry.bank_id == bank_id, BankEntry.id.in_(entry_ids))))
    for number, entry_id in enumerate(entry_ids):
        if entry_id not in known:
            raise Invalid.of(f"entries.{number}", "there is no such entry in this bank")
    told = {
        "bank_id": str(bank_id),
        "entries": [str(entry_id) for entry_id in entry_ids],
        "dry_run": dry_run,
        "thresholds": thresholds,
    }
    run = runs.start(
        session, KIND, told, actor=caller.name, readers=[Role(role) for role in bank.readers], now=now,
        exclusive=f"{KIND}:{bank_id}:{dry_run}",
    )  # fmt: skip
    if not dry_run:
        audit.record(
            session, actor=caller.name, action="bank.retro", subject=f"bank:{bank_id}",
            evidence={"run": str(run.id), "entries": told["entries"]}, now=now,
        )  # fmt: skip
    return run


@dataclass(frozen=True, slots=True)
class Sought:
    """The entries of a sweep, as they were after one change of the banks.

    Attributes:
        kinds: of the fingerprints of posts that could match them.
    """

    change: int
    index: KnownIndex
    kinds: tuple[str, ...]


def sought(session: Session, params: dict[str, Any], before: Sought | None = None) -> Sought:
    """The entries that may match now (of a dry run also those that are switched off); ``before`` if nothing changed."""
    change = changes.latest(session)
    if before is not None and before.change == change:
        return before
    asked = _asked(params)
    if not params["dry_run"]:
        asked += [BankEntry.enabled.is_(True), BankEntry.quarantined_at.is_(None)]
    ids = list(session.scalars(select(BankEntry.id).where(*asked).order_by(BankEntry.id)))
    kinds = set(
        session.scalars(
            select(BankSignal.kind).join(BankEntry, BankEntry.id == BankSignal.entry_id).where(*asked).distinct()
        )
    )
    return Sought(
        change,
        live.of_entries(session, ids, params["thresholds"]),
        tuple(sorted({"pdq" if kind == "vpdq" else kind for kind in kinds})),
    )


def total(session: Session, kinds: Sequence[str], after: int) -> int:
    """How many fingerprints of these kinds come after one."""
    counted = select(func.count()).where(FingerprintRow.kind.in_(kinds), FingerprintRow.seq > after)
    return int(session.scalar(counted) or 0)


def read(session: Session, kinds: Sequence[str], after: int, most: int) -> list[Row]:
    """The next fingerprints in the order they were written."""
    found = session.execute(
        select(
            FingerprintRow.seq,
            FingerprintRow.post_id,
            FingerprintRow.kind,
            FingerprintRow.value,
            FingerprintRow.quality,
            FingerprintRow.frame,
        )
        .where(FingerprintRow.kind.in_(kinds), FingerprintRow.seq > after)
        .order_by(FingerprintRow.seq)
        .limit(most)
    )
    return [Row(*row) for row in found]


def candidates(index: KnownIndex, rows: Sequence[Row], *, slack: bool = False) -> list[tuple[Row, int, int]]:
    """(fingerprint, place of entry, bits apart) of all that could match.

    Args:
        index: the entries.
        rows: fingerprints of posts.
        slack: of PDQ and shingles also what is beyond every threshold, up to the most that may be set.
    """
    found: list[tuple[Row, int, int]] = []
    for row in rows:
        if row.kind in EXACT:
            found += [(row, place, 0) for place in index.equal(row.kind, row.value)]
    pictures = [row for row in rows if row.kind == "pdq" and row.quality >= PDQ_QUALITY]
    stills, frames = [row for row in pictures if row.frame is None], [row for row in pictures if row.frame is not None]
    radius = int(LIMITS["pdq"][1] if slack else index.widest("pdq"))
    found += _near(index, "pdq", stills, radius)
    found += _near(index, "vpdq", frames, int(DEFAULTS["pdq"]))
    found += _near(index, "scene", [row for row in rows if row.kind == "scene" and row.frame is None], SCENE_RADIUS)
    texts = [row for row in rows if row.kind == "shingles"]
    resemblance = LIMITS["text"][0] if slack else index.widest("text")
    return found + _near(index, "shingles", texts, text_bits(resemblance))


def matching(index: KnownIndex, found: Iterable[tuple[Row, int, int]]) -> list[tuple[Row, int, int]]:
    """Those within the thresholds of their entries, and what only a look at the whole can tell: frames of a video, and
    pictures that show the same."""
    return [
        (row, place, bits)
        for row, place, bits in found
        if row.kind in EXACT
        or row.kind == "scene"
        or row.frame is not None
        or (row.kind == "pdq" and bits <= index.threshold(place, "pdq"))
        or (row.kind == "shingles" and bits <= text_bits(index.threshold(place, "text")))
    ]


def matched_before(session: Session, params: dict[str, Any], after: UUID, most: int) -> list[UUID]:
    """Posts with a present match of these entries: what was narrowed or switched off has to let go of them."""
    return list(
        session.scalars(
            select(BankMatch.post_id)
            .join(BankEntry, BankEntry.id == BankMatch.entry_id)
            .where(*_asked(params), BankMatch.current, BankMatch.post_id > after)
            .distinct()
            .order_by(BankMatch.post_id)
            .limit(most)
        )
    )


def note(tried: Tried, index: KnownIndex, found: Sequence[tuple[Row, int, int]], seen: set[UUID]) -> None:
    """Take what a batch has found into the count of a dry run."""
    for row, _, bits in found:
        if row.kind in ("pdq", "shingles") and row.frame is None:
            counts = tried.by_distance.setdefault(row.kind, {})
            counts[bits] = counts.get(bits, 0) + 1
    for row, place, bits in matching(index, found):
        if row.post_id in seen or row.kind == "scene":  # of those a dry run cannot say whether they are copies
            continue
        seen.add(row.post_id)
        tried.posts += 1
        entry, _ = index.entry(place)
        told = {"post_id": str(row.post_id), "entry_id": str(entry), "kind": row.kind, "distance": bits}
        tried.examples = sorted([*tried.examples, told], key=lambda item: (item["distance"], item["post_id"]))[
            :EXAMPLES
        ]


def _asked(params: dict[str, Any]) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = [BankEntry.bank_id == UUID(params["bank_id"])]
    if params["entries"]:
        asked.append(BankEntry.id.in_([UUID(entry) for entry in params["entries"]]))
    return asked


def _near(index: KnownIndex, kind: Any, rows: Sequence[Row], radius: int) -> list[tuple[Row, int, int]]:
    if not rows:
        return []
    hits = index.near(kind, [row.value for row in rows], radius)
    return [(row, place, bits) for row, near in zip(rows, hits, strict=True) for place, bits in near]
