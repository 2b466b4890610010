"""Which posts may be copies: near by some fingerprint. Cheap, and sure to be wrong often; ``matching`` tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from sqlalchemy import select

from postscope.backend.duplicates.asking import Asked, AskedMedium
from postscope.backend.fingerprinting.indexes import owners
from postscope.backend.fingerprinting.pictures import Picture
from postscope.backend.runtime import Runtime
from postscope.backend.tables import FingerprintRow
from postscope.indexing.copies import scenes, sounds
from postscope.indexing.copies.images import FAR_RADIUS
from postscope.indexing.fingerprints import ExactText, Shingles

EXACT_MOST: Final = 64
NEAR_MOST: Final = 16
"""Nearest entries that each fingerprint may bring."""
SHINGLE_RADIUS: Final = 112
"""Bits that texts may differ in: a text and the same with as much again added are some 64 apart, two texts that have
nothing in common 128."""
FRAMES_ASKED: Final = 12
"""Frames of a video that others are looked up by, spread over it."""


def candidates(runtime: Runtime, asked: Asked) -> list[UUID]:
    """Posts that may be copies, the nearest first; the post itself is not among them."""
    found: dict[UUID, float] = {}
    for distance, post_id in (*_exact(runtime, asked), *_near(runtime, asked)):
        if post_id != asked.post_id:
            found[post_id] = min(found.get(post_id, 1.0), distance)
    return sorted(found, key=lambda post_id: (found[post_id], post_id))


def _exact(runtime: Runtime, asked: Asked) -> Iterator[tuple[float, UUID]]:
    wanted = [("sha256", bytes.fromhex(medium.sha256)) for medium in asked.media]
    text = ExactText().fingerprint(asked.text.text)
    if text is not None:
        wanted.append((ExactText.kind, text.value))
    with runtime.database.session() as session:
        for kind, value in wanted:
            rows = session.scalars(
                select(FingerprintRow.post_id)
                .where(FingerprintRow.kind == kind, FingerprintRow.value == value)
                .order_by(FingerprintRow.seq)
                .limit(EXACT_MOST)
            )
            yield from ((0.0, post_id) for post_id in rows)


def _near(runtime: Runtime, asked: Asked) -> Iterator[tuple[float, UUID]]:
    pictures = [picture for medium in asked.media for picture in _some(medium)]
    yield from _search(runtime, "pdq", [value for picture in pictures for value in picture.asked.turned], FAR_RADIUS)
    codes = [code for picture in pictures for code in picture.codes.asked]
    yield from _search(runtime, scenes.KIND, codes, scenes.RADIUS)
    heard = [code for medium in asked.media if medium.sound for code in sounds.asked_codes(medium.sound)]
    yield from _search(runtime, sounds.KIND, heard, sounds.RADIUS)
    shingles = Shingles().fingerprint(asked.text.text)
    if shingles is not None:
        yield from _search(runtime, Shingles.kind, [shingles.value], SHINGLE_RADIUS)


def _some(medium: AskedMedium) -> Iterator[Picture]:
    step = max(1, -(-len(medium.pictures) // FRAMES_ASKED))
    yield from medium.pictures[::step]


def _search(runtime: Runtime, kind: str, values: list[bytes], radius: int) -> Iterator[tuple[float, UUID]]:
    if not values:
        return
    nearest: dict[int, int] = {}
    for row in runtime.fingerprints.nearest(kind, values, NEAR_MOST, radius=radius):
        for near in row:
            nearest[near.number] = min(nearest.get(near.number, radius), near.distance)
    known = owners(runtime.database, list(nearest))
    gone = [number for number in nearest if number not in known]
    runtime.fingerprints.forget(kind, gone)
    for number, owner in known.items():
        yield nearest[number] / 256, owner.post_id
