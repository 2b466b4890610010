"""From what matches to a verdict: known harmless content suppresses, what could not be checked is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import numpy as np

from postscope.backend.banks.live import BankView, Known
from postscope.backend.banks.probing import Checkable, Unchecked
from postscope.backend.models import SpaceModel
from postscope.indexing.known.matching import Found, Kept, Part, Relevance, find
from postscope.indexing.types import Vector, Vectors

Verdict = Literal["match", "no_match", "could_not_check"]

_BEHIND: Final = Unchecked(
    "banks", None, "banks_behind", "new entries are still being read; it is checked again when they are there"
)


@dataclass(frozen=True, slots=True)
class Matched:
    """A match and its bank. ``suppressed_by`` is an entry of a harmless bank, as near or nearer to the same part."""

    found: Found
    bank: BankView
    suppressed_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What the banks say of one content; matches best first, copies before look-alikes.

    ``change`` is the last change of the banks that was looked at, ``asked`` the last there was when the check began.
    ``unlooked`` entries could not be looked for by vectors: theirs are of another space.
    """

    verdict: Verdict
    matches: tuple[Matched, ...]
    checkable: Checkable
    change: int
    asked: int
    unlooked: int = 0


def judge(
    known: Known,
    content: Checkable,
    *,
    now: datetime,
    model: SpaceModel | None = None,
    kept: Kept | None = None,
) -> Judged:
    """Ask the banks about one content. Entries that are still being read are a part that could not be checked.

    Args:
        known: the banks.
        content: what is asked about.
        now: what has expired by then matches nothing.
        model: whose vectors the content has; without it there are no look-alikes.
        kept: reads what edited copies and sounds are told by.
    """
    comparable = model is not None and known.space == model.encoder.space.id
    relevance = relevance_in(model) if model is not None and comparable else None
    unlooked = known.unlooked if model is None or comparable else known.unlooked + known.index.with_vectors()
    if known.behind:
        content = replace(content, unchecked=(*content.unchecked, _BEHIND))
    enabled = {number for number, bank in known.banks.items() if bank.enabled}
    found = find(
        known.index, content.probes, now=now.timestamp(), relevance=relevance, kept=kept, banks=enabled
    )  # fmt: skip
    matches = tuple(_suppress([Matched(match, known.banks[match.bank]) for match in found]))
    return Judged(_verdict(matches, content), matches, content, known.change, known.asked, unlooked)


def relevance_in(model: SpaceModel) -> Relevance:
    """How alike the vectors of a space are, texts to texts and pictures to pictures: 0.9 means as much of either."""

    def relevance(part: Part, vector: Vector, known: Vectors) -> np.ndarray[Any, np.dtype[np.float64]]:
        [curve] = model.calibration.likeness(vector[np.newaxis], part)
        return curve.relevance(known @ vector)

    return relevance


def _suppress(matches: Sequence[Matched]) -> list[Matched]:
    harmless = [match.found for match in matches if match.bank.harmless and match.found.tier == "copy"]
    return [
        match if match.bank.harmless else replace(match, suppressed_by=_suppressor(match.found, harmless))
        for match in matches
    ]


def _suppressor(found: Found, harmless: Sequence[Found]) -> UUID | None:
    """A look-alike is suppressed by any harmless copy; of what is known to be harmful the nearer copy counts."""
    for other in harmless:
        same = (other.part, other.place) == (found.part, found.place) or found.tier == "look_alike"
        if same and (found.tier == "look_alike" or other.score >= found.score):
            return other.entry
    return None


def _verdict(matches: Sequence[Matched], content: Checkable) -> Verdict:
    if any(match.found.tier == "copy" and not match.bank.harmless and match.suppressed_by is None for match in matches):
        return "match"
    return "could_not_check" if content.unchecked else "no_match"
