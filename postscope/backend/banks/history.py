"""All posts by their fingerprints and by their vectors, a batch at a time, and which of them could match entries.

Fingerprints are read in the order they were written, posts in the order of their ids, so that a sweep goes on from the
last one after a kill and meets what comes meanwhile. Candidates come from indexes alone; whatever costs more (laying
pictures over each other) is asked of those few, see ``checking.confirm``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from postscope.backend.models import SpaceModel
from postscope.backend.runtime import Runtime
from postscope.backend.tables import FingerprintRow, Post, PostCheck
from postscope.indexing.copies.scenes import RADIUS as SCENE_RADIUS
from postscope.indexing.copies.sounds import RADIUS as SOUND_RADIUS
from postscope.indexing.fingerprints import PDQ_QUALITY
from postscope.indexing.known.alike import look_alikes
from postscope.indexing.known.index import EXACT, KnownIndex
from postscope.indexing.known.matching import Part
from postscope.indexing.known.signals import DEFAULTS, LIMITS, Kind, text_bits
from postscope.indexing.types import Vector

_COMPARISONS: Final = 250_000_000
"""Of fingerprints at once: a second or two, so that searches and a stop do not wait for longer."""


@dataclass(frozen=True, slots=True)
class Row:
    """One fingerprint of a post, as the sweep reads it."""

    seq: int
    post_id: UUID
    media_id: UUID | None
    kind: str
    value: bytes
    quality: int
    frame: int | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A fingerprint is so many bits from one of an entry."""

    row: Row
    place: int
    bits: int


@dataclass(frozen=True, slots=True)
class Resembling:
    """A part of a post looks like an entry; ``score`` is the relevance."""

    post_id: UUID
    place: int
    part: Part
    score: float


def total(session: Session, kinds: Sequence[str]) -> int:
    """How many fingerprints of these kinds there are."""
    return int(session.scalar(select(func.count()).where(FingerprintRow.kind.in_(kinds))) or 0)


def count_posts(session: Session) -> int:
    """How many posts there are."""
    return int(session.scalar(select(func.count()).select_from(Post)) or 0)


def batch_of(index: KnownIndex, most: int) -> int:
    """How many fingerprints to read at once: fewer where there are many hashes to compare each with."""
    return max(min(most, _COMPARISONS // max(1, index.most())), 1)


def read(session: Session, kinds: Sequence[str], after: int, most: int) -> list[Row]:
    """The next fingerprints in the order they were written."""
    found = session.execute(
        select(
            FingerprintRow.seq,
            FingerprintRow.post_id,
            FingerprintRow.media_id,
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


def hits(index: KnownIndex, rows: Sequence[Row], *, slack: bool = False) -> list[Hit]:
    """What equal files, equal words, PDQ and shingles of whole pictures and texts tell by themselves.

    Args:
        index: the entries.
        rows: fingerprints of posts.
        slack: of PDQ and shingles also what is beyond every threshold, up to the most that may be set.
    """
    found: list[Hit] = []
    for row in rows:
        if row.kind in EXACT:
            found += [Hit(row, place, 0) for place in index.equal(row.kind, row.value)]
    stills = [row for row in rows if row.kind == "pdq" and row.quality >= PDQ_QUALITY and row.frame is None]
    found += _near(index, "pdq", stills, int(LIMITS["pdq"][1] if slack else index.widest("pdq")))
    texts = [row for row in rows if row.kind == "shingles"]
    return found + _near(index, "shingles", texts, text_bits(LIMITS["text"][0] if slack else index.widest("text")))


def matching(index: KnownIndex, found: Sequence[Hit]) -> list[Hit]:
    """Those within the thresholds of their entries."""
    return [
        hit
        for hit in found
        if hit.row.kind in EXACT
        or (hit.row.kind == "pdq" and hit.bits <= index.threshold(hit.place, "pdq"))
        or (hit.row.kind == "shingles" and hit.bits <= text_bits(index.threshold(hit.place, "text")))
    ]


def doubtful(index: KnownIndex, rows: Sequence[Row]) -> list[Row]:
    """Those that only a look at the whole can tell: a frame of a video, a picture that shows the same, a sound."""
    frames = [row for row in rows if row.kind == "pdq" and row.quality >= PDQ_QUALITY and row.frame is not None]
    scenes = [row for row in rows if row.kind == "scene" and row.frame is None]
    sounds = [row for row in rows if row.kind == "sound"]
    found = _any_near(index, "vpdq", frames, int(DEFAULTS["pdq"]))
    found += _any_near(index, "scene", scenes, SCENE_RADIUS)
    return found + _any_near(index, "sound", sounds, SOUND_RADIUS)


def posts_after(session: Session, after: UUID, most: int) -> list[UUID]:
    """The next posts in the order of their ids."""
    return list(session.scalars(select(Post.id).where(Post.id > after).order_by(Post.id).limit(most)))


def resembling(
    runtime: Runtime, model: SpaceModel, index: KnownIndex, ids: Sequence[UUID], *, least: float
) -> tuple[list[Resembling], int]:
    """Which of these posts look like entries, at a relevance of ``least`` or more, and how many have no vectors yet."""
    points = runtime.store.retrieve(model.collection, ids)
    rows: dict[Part, list[tuple[UUID, Vector]]] = {"text": [], "media": []}
    for point in points:
        if "text" in point.dense:
            rows["text"].append((point.id, point.dense["text"]))
        rows["media"] += [(point.id, vector) for vector in point.multi.get("media", ())]
    best: dict[tuple[UUID, int, Part], float] = {}
    for part, held in rows.items():
        if not held or index.vectors(part) is None:
            continue
        stacked = np.stack([vector for _, vector in held]).astype(np.float32)
        for alike in look_alikes(index, part, stacked, model.calibration, least=least):
            key = held[alike.row][0], alike.place, part
            best[key] = max(alike.score, best.get(key, 0.0))
    return [Resembling(*key, score) for key, score in best.items()], len(ids) - len(points)


def unchecked(session: Session, parts: Sequence[str]) -> dict[str, int]:
    """By reason, how many posts have a part of these that could not be checked when they came."""
    item = func.jsonb_array_elements(PostCheck.unchecked).table_valued("value").lateral("item")
    code, part = (item.c.value.op("->>")(name) for name in ("code", "part"))
    rows = session.execute(
        select(code, func.count(PostCheck.post_id.distinct()))
        .select_from(PostCheck)
        .join(item, part.in_(parts))
        .where(func.jsonb_array_length(PostCheck.unchecked) > 0)
        .group_by(code)
        .order_by(code)
    )
    return {str(row[0]): int(row[1]) for row in rows}


def _any_near(index: KnownIndex, kind: Kind, rows: Sequence[Row], radius: int) -> list[Row]:
    near = index.any_near(kind, [row.value for row in rows], radius)
    return [row for row, one in zip(rows, near, strict=True) if one]


def _near(index: KnownIndex, kind: Kind, rows: Sequence[Row], radius: int) -> list[Hit]:
    found = index.near(kind, [row.value for row in rows], radius) if rows else []
    return [Hit(row, place, bits) for row, near in zip(rows, found, strict=True) for place, bits in near]
