"""Which posts may be copies: near by some fingerprint. Cheap, and sure to be wrong often; ``matching`` tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text

from postscope.backend.duplicates.asking import Asked, AskedMedium
from postscope.backend.fingerprinting.indexes import owners
from postscope.backend.fingerprinting.pictures import Picture
from postscope.backend.runtime import Runtime
from postscope.indexing.copies import scenes, sounds
from postscope.indexing.copies.images import FAR_RADIUS
from postscope.indexing.fingerprints import ExactText, Pdq, Shingles

EXACT_MOST: Final = 64
NEAR_MOST: Final = 16
"""Nearest entries that each fingerprint may bring."""
SAME_MOST: Final = 3
"""Of these, with one and the same fingerprint: what else there is of a wave of reposts must be seen beside them."""
SHINGLE_RADIUS: Final = 112
"""Bits that texts may differ in: a text and the same with as much again added are some 64 apart, two texts that have
nothing in common 128."""
FRAMES_ASKED: Final = 12
"""Frames of a video that others are looked up by, spread over it."""

_RADII: Final = {
    Pdq.kind: FAR_RADIUS,
    scenes.KIND: scenes.RADIUS,
    sounds.KIND: sounds.RADIUS,
    Shingles.kind: SHINGLE_RADIUS,
}
_AT_A_TIME: Final = 256
"""Fingerprints in one search of an index, which others wait for."""

Wanted = tuple[int, bytes]
"""A fingerprint, and the place of the content that it is of."""


def candidates(runtime: Runtime, asked: Sequence[Asked]) -> list[list[UUID]]:
    """For each content the posts that may be copies of it, the nearest first; the post itself is not among them."""
    found: list[dict[UUID, float]] = [{} for _ in asked]
    for place, distance, post_id in (*_exact(runtime, asked), *_near(runtime, asked)):
        if post_id != asked[place].post_id:
            found[place][post_id] = min(found[place].get(post_id, 1.0), distance)
    return [sorted(near, key=lambda post_id: (near[post_id], post_id)) for near in found]


def _exact(runtime: Runtime, asked: Sequence[Asked]) -> list[tuple[int, float, UUID]]:
    wanted = [
        (place, "sha256", bytes.fromhex(medium.sha256)) for place, one in enumerate(asked) for medium in one.media
    ]
    for place, one in enumerate(asked):
        told = ExactText().fingerprint(one.text.text)
        if told is not None:
            wanted.append((place, ExactText.kind, told.value))
    if not wanted:
        return []
    with runtime.database.session() as session:
        rows = session.execute(
            text(
                "SELECT asked.place, found.post_id "
                "FROM unnest(CAST(:places AS int[]), CAST(:kinds AS text[]), CAST(:values AS bytea[])) "
                "AS asked(place, kind, value) CROSS JOIN LATERAL ("
                "  SELECT post_id FROM fingerprints WHERE kind = asked.kind AND value = asked.value "
                "  AND kind IN ('md5', 'sha256', 'text') ORDER BY seq LIMIT :most"  # so that the index is used
                ") AS found"
            ),
            {
                "places": [place for place, _, _ in wanted],
                "kinds": [kind for _, kind, _ in wanted],
                "values": [value for _, _, value in wanted],
                "most": EXACT_MOST,
            },
        )
        return [(row.place, 0.0, row.post_id) for row in rows]


def _near(runtime: Runtime, asked: Sequence[Asked]) -> Iterator[tuple[int, float, UUID]]:
    nearest: dict[str, dict[tuple[int, int], int]] = {}
    for kind, radius in _RADII.items():
        values = [(place, value) for place, one in enumerate(asked) for value in _values(kind, one)]
        nearest[kind] = _search(runtime, kind, values, radius)
    known = owners(runtime.database, sorted({number for found in nearest.values() for _, number in found}))
    for kind, found in nearest.items():
        runtime.fingerprints.forget(kind, sorted({number for _, number in found if number not in known}))
        for (place, number), distance in found.items():
            if number in known:
                yield place, distance / 256, known[number].post_id


def _values(kind: str, asked: Asked) -> Iterable[bytes]:
    if kind == Shingles.kind:
        shingles = Shingles().fingerprint(asked.text.text)
        return [shingles.value] if shingles is not None else []
    if kind == sounds.KIND:
        return [code for medium in asked.media if medium.sound for code in sounds.asked_codes(medium.sound)]
    pictures = [picture for medium in asked.media for picture in _some(medium)]
    if kind == scenes.KIND:
        return [code for picture in pictures for code in picture.codes.asked]
    return [value for picture in pictures for value in picture.asked.turned]


def _some(medium: AskedMedium) -> Iterator[Picture]:
    step = max(1, -(-len(medium.pictures) // FRAMES_ASKED))
    yield from medium.pictures[::step]


def _search(runtime: Runtime, kind: str, wanted: Sequence[Wanted], radius: int) -> dict[tuple[int, int], int]:
    """How far the nearest entries are, by the place of the content and the number of the entry."""
    found: dict[tuple[int, int], int] = {}
    for start in range(0, len(wanted), _AT_A_TIME):
        part = wanted[start : start + _AT_A_TIME]
        rows = runtime.fingerprints.nearest(
            kind, [value for _, value in part], NEAR_MOST, radius=radius, each=SAME_MOST
        )
        for (place, _), row in zip(part, rows, strict=True):
            for near in row:
                found[place, near.number] = min(found.get((place, near.number), radius), near.distance)
    return found
