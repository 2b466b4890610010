"""Compares contents with their candidates: many at a time, from few statements, and each pair once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from postscope.backend.duplicates.asking import Asked
from postscope.backend.duplicates.candidates import candidates
from postscope.backend.duplicates.matching import Matched, compare, load_kept
from postscope.backend.duplicates.places import Place, read_places
from postscope.backend.runtime import Runtime

MOST_COMPARED: Final = 48
"""Posts that one is compared with, nearest first, anchors in place of their members."""
_LOADED: Final = 256
"""Posts in memory at a time; one with a picture takes some 20 kB."""

Places = Mapping[UUID, Place]


@dataclass(slots=True)
class Search:
    """The search for copies of one content.

    Attributes:
        asked: the content.
        near: posts that may be copies, the nearest first.
        told: what came of each comparison, and of which content of the other it was.
    """

    asked: Asked
    near: Sequence[UUID] = ()
    told: dict[UUID, tuple[bytes | None, Matched | None]] = field(default_factory=dict)

    def knows(self, place: Place) -> bool:
        """Whether the other was compared with as it is now."""
        return place.post_id in self.told and self.told[place.post_id][0] == place.content

    def matched(self, ids: Iterable[UUID]) -> dict[UUID, Matched]:
        """Which of these are copies."""
        found = {post_id: self.told[post_id][1] for post_id in ids if post_id in self.told}
        return {post_id: match for post_id, match in found.items() if match is not None}


def searches(runtime: Runtime, asked: Sequence[Asked]) -> list[Search]:
    """Begin the search for copies of these: with the candidates of each."""
    return [Search(one, near) for one, near in zip(asked, candidates(runtime, asked), strict=True)]


def places_of(session: Session, found: Sequence[Search]) -> dict[UUID, Place]:
    """Where all candidates are, and the posts themselves."""
    own = [search.asked.post_id for search in found if search.asked.post_id is not None]
    return read_places(session, [*own, *(post_id for search in found for post_id in search.near)])


def find(
    runtime: Runtime, session: Session, found: Sequence[Search], places: Places, *, members: bool = False
) -> list[dict[UUID, Matched]]:
    """For each search the posts that are copies, the nearest first. Compares what was not compared yet.

    Args:
        runtime: of this process.
        session: to read with.
        found: the searches.
        places: of the candidates and of the anchors of their groups.
        members: compare the nearest members of a group too where its anchor matches already.
    """
    first = [_first(search, places) for search in found]
    compare_all(runtime, session, list(zip(found, first, strict=True)), places)
    matched = [search.matched(ids) for search, ids in zip(found, first, strict=True)]
    # Of groups whose anchor does not match, the members themselves: a copy of a copy may be far from the first.
    rest = [_rest(search, places, () if members else own) for search, own in zip(found, matched, strict=True)]
    compare_all(runtime, session, list(zip(found, rest, strict=True)), places)
    return [own | search.matched(ids) for search, own, ids in zip(found, matched, rest, strict=True)]


def compare_all(
    runtime: Runtime, session: Session, wanted: Sequence[tuple[Search, Sequence[UUID]]], places: Places
) -> None:
    """Compare each content with these posts, unless that is known already."""
    radius = runtime.settings.duplicates.pdq_radius
    pairs = iter([(search, post_id) for search, ids in wanted for post_id in ids if not search.knows(places[post_id])])
    while part := list(islice(pairs, _LOADED)):
        kept = load_kept(runtime, session, list({post_id for _, post_id in part}))
        for search, post_id in part:
            other = kept.get(post_id)
            match = compare(search.asked, other, pdq_radius=radius) if other is not None else None
            search.told[post_id] = places[post_id].content, match


def _first(search: Search, places: Places) -> list[UUID]:
    there = [places[post_id] for post_id in search.near if post_id in places]
    anchors = dict.fromkeys(place.anchor_id for place in there if place.anchor_id in places)
    lone = [place.post_id for place in there if place.anchor_id is None]
    return [post_id for post_id in [*anchors, *lone] if post_id and post_id != search.asked.post_id][:MOST_COMPARED]


def _rest(search: Search, places: Places, known: Iterable[UUID]) -> list[UUID]:
    there = [places[post_id] for post_id in search.near if post_id in places]
    out = {None, *known}
    return [p.post_id for p in there if p.anchor_id not in out and p.anchor_id != p.post_id][: MOST_COMPARED // 2]
