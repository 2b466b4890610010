"""Content against known content: which entries it is a copy of, and which it looks like.

The two are never mixed. A copy is the same content by its hashes: equal files, equal words, PDQ near enough, enough
shingles or enough frames in common. A look-alike is near in the space of the model, and may be other content.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import UUID

import numpy as np

from postscope.indexing.copies.images import AskedImage, KeptImage, compare_images
from postscope.indexing.copies.scenes import RADIUS as SCENE_RADIUS
from postscope.indexing.copies.sounds import RADIUS as SOUND_RADIUS
from postscope.indexing.copies.sounds import asked_codes, compare_sounds
from postscope.indexing.copies.verdicts import CopyVerdict
from postscope.indexing.known.index import KnownIndex
from postscope.indexing.known.signals import Kind, bits_score, text_bits
from postscope.indexing.sound_prints import SoundPrint
from postscope.indexing.types import Vector, Vectors

Part = Literal["text", "media"]
Tier = Literal["copy", "look_alike"]
Relevance = Callable[[Part, Vector, Vectors], "np.ndarray[Any, np.dtype[np.float64]]"]
"""(part, vector (dim,), known vectors (n, dim)) -> relevances (n,) in [0, 1]."""


Counts = Callable[[int], bool]
"""Whether the entry at a place matches at all; asked before the nearest are chosen, so that no other takes a place."""


class Kept(Protocol):
    """What is kept of entries to tell copies for sure; too large to be held in memory."""

    def looks(self, ids: Sequence[UUID]) -> Mapping[UUID, Sequence[KeptImage]]:
        """Of the pictures of entries."""
        ...

    def tracks(self, ids: Sequence[UUID]) -> Mapping[UUID, Sequence[SoundPrint]]:
        """Of the sounds of entries."""
        ...


_FRAME_RADIUS = 31
_MOST_COMPARED = 12
"""Entries that a picture or a sound is laid over at most: the nearest by what they show, or sound like."""
_MOST_LOOK_ALIKES = 20
"""Entries that each vector is said to look like at most: the nearest."""
_ROUNDING = 1e-6
"""By which a threshold that is kept in 32 bits may differ from the same in 64."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One part of a content that is checked.

    Attributes:
        place: position of the medium; None for the text.
        hashes: exact ones by kind: ``sha256``, ``md5``, ``text``.
        pdq: of a still image whose quality is high enough; none or one.
        frames: distinct PDQs of a video's frames.
        shingles: of a text that is long enough.
        scenes: codes of what a picture shows, to find what it may be an edited copy of.
        picture: the picture itself, as it is compared with those.
        sound: of a sound, or of a video that has one.
        vectors: (n, dim), of this part.
    """

    part: Part
    place: int | None
    hashes: Mapping[Kind, bytes] = field(default_factory=dict)
    pdq: tuple[bytes, ...] = ()
    frames: tuple[bytes, ...] = ()
    shingles: bytes | None = None
    scenes: tuple[bytes, ...] = ()
    picture: AskedImage | None = None
    sound: SoundPrint | None = None
    vectors: Vectors | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A part matches an entry.

    Attributes:
        kind: of the hash; ``vector`` for a look-alike.
        distance: bits apart for ``pdq`` and ``shingles``, else 1 - score.
        score: 0 to 1.
        evidence: what else there is to say.
    """

    entry: UUID
    bank: int
    tier: Tier
    kind: Kind
    part: Part
    place: int | None
    distance: float
    score: float
    evidence: Mapping[str, Any] = field(default_factory=dict)


def find(
    index: KnownIndex,
    probes: Sequence[Probe],
    *,
    now: float,
    relevance: Relevance | None = None,
    kept: Kept | None = None,
    banks: Collection[int] | None = None,
) -> list[Found]:
    """All entries that any part matches: of each entry and tier the best match, best first, then by entry.

    Args:
        index: known content.
        probes: the parts of one content.
        now: Unix seconds; what has expired by then matches nothing.
        relevance: how vectors are judged; without it there are no look-alikes.
        kept: reads what edited copies and sounds are told by; without it none are found but by PDQ.
        banks: numbers of those whose entries count; None for all.
    """

    def counts(place: int) -> bool:
        return index.alive(place, now) and (banks is None or index.bank(place) in banks)

    found: list[tuple[int, Found]] = []
    for probe in probes:
        copies = _copies(index, probe)
        found += copies
        if kept is not None:
            copied = {place for place, _ in copies}
            found += _edited(index, probe, kept, counts, copied)
            found += _sounds(index, probe, kept, counts, copied)
        if relevance is not None and probe.vectors is not None and len(probe.vectors):
            found += _look_alikes(index, probe, relevance, counts)
    best: dict[tuple[int, Tier], Found] = {}
    for place, match in sorted(found, key=lambda pair: -pair[1].score):
        if counts(place):
            best.setdefault((place, match.tier), match)
    copied_from = {place for place, tier in best if tier == "copy"}
    told = [match for (place, tier), match in best.items() if tier == "copy" or place not in copied_from]
    return sorted(told, key=lambda match: (match.tier != "copy", -match.score, match.entry))


def _copies(index: KnownIndex, probe: Probe) -> list[tuple[int, Found]]:
    found = []
    for kind, value in probe.hashes.items():
        found += [(place, _made(index, place, probe, kind, 0.0, 1.0)) for place in index.equal(kind, value)]
    if probe.pdq:
        found += _near(index, probe, "pdq", probe.pdq, int(index.widest("pdq")))
    if probe.shingles is not None:
        found += _near(index, probe, "shingles", (probe.shingles,), text_bits(index.widest("text")))
    if probe.frames:
        found += _videos(index, probe)
    return found


def _near(
    index: KnownIndex, probe: Probe, kind: Literal["pdq", "shingles"], values: Sequence[bytes], radius: int
) -> list[tuple[int, Found]]:
    found = []
    for hits in index.near(kind, values, radius):
        for place, bits in hits:
            limit = index.threshold(place, "pdq") if kind == "pdq" else text_bits(index.threshold(place, "text"))
            if bits <= limit:
                found.append((place, _made(index, place, probe, kind, bits, bits_score(bits))))
    return found


def _videos(index: KnownIndex, probe: Probe) -> list[tuple[int, Found]]:
    """As vPDQ: the share of this video's frames that are in the known one, and of the known one's that are in this."""
    ours: dict[int, set[int]] = defaultdict(set)
    for number, hits in enumerate(index.near("vpdq", probe.frames, _FRAME_RADIUS)):
        for place, _ in hits:
            ours[place].add(number)
    found = []
    for place, numbers in ours.items():
        share = len(numbers) / len(probe.frames)
        known = index.frames(place)
        known_share = _share_met(known, [probe.frames[number] for number in numbers])
        score = max(share, known_share)
        if score >= index.threshold(place, "vpdq"):
            evidence = {"share_of_post": round(share, 4), "share_of_entry": round(known_share, 4)}
            found.append((place, _made(index, place, probe, "vpdq", 1.0 - score, score, evidence)))
    return found


def _edited(
    index: KnownIndex, probe: Probe, kept: Kept, counts: Counts, copied: Collection[int]
) -> list[tuple[int, Found]]:
    """Crops, frames, captions and overlays: candidates by what is shown, told by local features under one move."""
    picture = probe.picture
    if picture is None:
        return []
    nearest = _nearest(index, "scene", probe.scenes, SCENE_RADIUS, counts, copied)
    told = kept.looks([index.entry(place)[0] for place in nearest]) if nearest else {}
    verdicts = {
        place: [compare_images(picture, image) for image in told.get(index.entry(place)[0], ())] for place in nearest
    }
    return _verdicts(index, probe, "look", verdicts)


def _sounds(
    index: KnownIndex, probe: Probe, kept: Kept, counts: Counts, copied: Collection[int]
) -> list[tuple[int, Found]]:
    """Stretches of sounds. Two videos that show different things may well have the same music: they are no copies."""
    sound = probe.sound
    if sound is None or not index.count("sound"):
        return []
    nearest = _nearest(index, "sound", asked_codes(sound), SOUND_RADIUS, counts, copied)
    chosen = [place for place in nearest if not (probe.frames and index.frames(place))]
    told = kept.tracks([index.entry(place)[0] for place in chosen]) if chosen else {}
    verdicts = {
        place: [compare_sounds(sound, track) for track in told.get(index.entry(place)[0], ())] for place in chosen
    }
    return _verdicts(index, probe, "sound", verdicts)


def _nearest(
    index: KnownIndex, kind: Kind, codes: Sequence[bytes], radius: int, counts: Counts, copied: Collection[int]
) -> list[int]:
    """Places of the few entries that are worth a closer look, the nearest first."""
    nearest: dict[int, int] = {}
    for hits in index.near(kind, codes, radius):
        for place, bits in hits:
            if place not in copied and counts(place):
                nearest[place] = min(bits, nearest.get(place, bits))
    return sorted(nearest, key=lambda place: (nearest[place], place))[:_MOST_COMPARED]


def _verdicts(
    index: KnownIndex, probe: Probe, kind: Kind, told: Mapping[int, Sequence[CopyVerdict | None]]
) -> list[tuple[int, Found]]:
    found = []
    for place, some in told.items():
        verdicts = [verdict for verdict in some if verdict is not None]
        if verdicts:
            best = max(verdicts, key=lambda verdict: verdict.score)
            evidence = {"changes": list(best.changes), **best.detail}
            found.append((place, _made(index, place, probe, kind, 1.0 - best.score, best.score, evidence)))
    return found


def _share_met(frames: Sequence[bytes], others: Sequence[bytes]) -> float:
    """Share of frames that have one of the others within the radius."""
    if not frames or not others:
        return 0.0
    first = np.unpackbits(np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), -1), axis=1)
    second = np.unpackbits(np.frombuffer(b"".join(others), np.uint8).reshape(len(others), -1), axis=1)
    agree = first.astype(np.float32) @ second.T.astype(np.float32)
    apart = first.sum(axis=1)[:, None] + second.sum(axis=1)[None, :] - 2 * agree
    return float((apart.min(axis=1) <= _FRAME_RADIUS).mean())


def _look_alikes(index: KnownIndex, probe: Probe, relevance: Relevance, counts: Counts) -> list[tuple[int, Found]]:
    """An entry with many vectors, such as a video, counts once; those that match nothing any more not at all."""
    held = index.vectors(probe.part)
    if held is None or probe.vectors is None:
        return []
    known, owners = held
    found = []
    for vector in probe.vectors:
        scores = relevance(probe.part, vector, known)
        near = np.flatnonzero(scores >= index.widest("look_alike") - _ROUNDING)
        best: dict[int, float] = {}
        for row in near[np.argsort(-scores[near], kind="stable")]:
            place = int(owners[row])
            if place not in best and counts(place):
                best[place] = float(scores[row])
                if len(best) == _MOST_LOOK_ALIKES:
                    break
        for place, score in best.items():
            if score >= index.threshold(place, "look_alike"):
                found.append((place, _made(index, place, probe, "vector", 1.0 - score, score, tier="look_alike")))
    return found


def _made(
    index: KnownIndex,
    place: int,
    probe: Probe,
    kind: Kind,
    distance: float,
    score: float,
    evidence: Mapping[str, Any] | None = None,
    tier: Tier = "copy",
) -> Found:
    entry, bank = index.entry(place)
    return Found(entry, bank, tier, kind, probe.part, probe.place, distance, score, evidence or {})
