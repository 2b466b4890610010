"""What is known of posts' content when the banks are asked: hashes, vectors, and what could not be had."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.database import Database
from postscope.backend.fingerprinting import keeping
from postscope.backend.fingerprinting.making import Made
from postscope.backend.fingerprinting.pictures import Picture
from postscope.backend.tables import BankSignal, FingerprintRow, Media, Post
from postscope.indexing.copies import sounds
from postscope.indexing.copies.images import KeptImage
from postscope.indexing.copies.looks import unpack
from postscope.indexing.fingerprints import PDQ_QUALITY
from postscope.indexing.known.index import EXACT
from postscope.indexing.known.matching import Probe
from postscope.indexing.sound_prints import SoundPrint
from postscope.indexing.sound_prints import unpack as unpack_sound
from postscope.indexing.stores.base import Stored
from postscope.indexing.types import Vectors

_LOST: Final = "its file cannot be read any more, so nobody can say whether it is an edited copy"

Hashed = FingerprintRow | Made
Pictures = Callable[[Media], Picture | None]


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A part that nothing can be said of, and why. ``place`` is the medium's position; None is the text.

    ``banks`` is no part of the content: the entries were not all there to compare it with.
    """

    part: Literal["text", "media", "banks"]
    place: int | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Checkable:
    """The parts of one content that can be checked, and those that cannot."""

    probes: tuple[Probe, ...]
    unchecked: tuple[Unchecked, ...]


def told_of(unchecked: Sequence[Unchecked]) -> list[dict[str, Any]]:
    """Parts that could not be checked, as they are kept and shown."""
    return [{"part": u.part, "place": u.place, "code": u.code, "reason": u.reason} for u in unchecked]


def of_posts(
    session: Session,
    posts: Sequence[Post],
    media: Mapping[UUID, Sequence[Media]],
    points: Mapping[UUID, Stored],
    pictures: Pictures | None = None,
) -> dict[UUID, Checkable]:
    """By post, from the fingerprints that are kept and the points that are stored.

    Args:
        session: to read with.
        posts: as they are in the database.
        media: of each post that has some, in order.
        points: of each post that is in the store, with its vectors.
        pictures: how to get at a still image, where edited copies are to be found.
    """
    ids = [post.id for post in posts]
    rows: dict[UUID, list[FingerprintRow]] = defaultdict(list)
    for row in session.scalars(
        select(FingerprintRow).where(FingerprintRow.post_id.in_(ids)).order_by(FingerprintRow.seq)
    ):
        rows[row.post_id].append(row)
    known = keeping.known(session, ids)
    failures = keeping.failures(session, ids)
    found = {}
    for post in posts:
        told = media.get(post.id, ())
        if known.get(post.id) != keeping.content_key(post, told):
            late = Unchecked("text", None, "not_fingerprinted", "its fingerprints are not made yet")
            found[post.id] = Checkable((), (late,))
        else:
            found[post.id] = _of_post(told, rows[post.id], failures.get(post.id, ()), points.get(post.id), pictures)
    return found


def text_probe(hashes: Sequence[Hashed], vectors: Vectors | None = None) -> Probe | None:
    """What the text of a content is asked with; None where there is nothing to ask with."""
    exact = {row.kind: row.value for row in hashes if row.kind in EXACT}
    shingles = next((row.value for row in hashes if row.kind == "shingles"), None)
    if not exact and shingles is None and vectors is None:
        return None
    return Probe("text", None, hashes=exact, shingles=shingles, vectors=vectors)


def media_probe(
    place: int, hashes: Sequence[Hashed], vectors: Vectors | None = None, picture: Picture | None = None
) -> Probe:
    """What a medium is asked with. A picture that shows too little for its PDQ is known by its bytes alone."""
    exact = {row.kind: row.value for row in hashes if row.kind in EXACT}
    seen = [row for row in hashes if row.kind == "pdq" and row.quality >= PDQ_QUALITY]
    return Probe(
        "media",
        place,
        hashes=exact,
        pdq=tuple(row.value for row in seen if row.frame is None),
        frames=tuple(dict.fromkeys(row.value for row in seen if row.frame is not None)),
        scenes=picture.codes.asked if picture else (),
        picture=picture.asked if picture else None,
        sound=next((unpack_sound(row.value) for row in hashes if row.kind == sounds.TRACK), None),
        vectors=vectors,
    )


class KeptSignals:
    """Reads what is kept of the pictures and sounds of entries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def looks(self, ids: Sequence[UUID]) -> dict[UUID, list[KeptImage]]:
        """Of pictures; without their PDQ: by that the index has been asked already, with the entry's own threshold."""
        return {
            entry: [KeptImage(None, 0, unpack(value)) for value in values]
            for entry, values in self._read(ids, "look").items()
        }

    def tracks(self, ids: Sequence[UUID]) -> dict[UUID, list[SoundPrint]]:
        """Of sounds."""
        return {
            entry: [unpack_sound(value) for value in values] for entry, values in self._read(ids, sounds.TRACK).items()
        }

    def _read(self, ids: Sequence[UUID], kind: str) -> dict[UUID, list[bytes]]:
        found: dict[UUID, list[bytes]] = {}
        with self._database.session() as session:
            rows = session.execute(
                select(BankSignal.entry_id, BankSignal.value)
                .where(BankSignal.entry_id.in_(ids), BankSignal.kind == kind)
                .order_by(BankSignal.id)
            )
            for row in rows:
                found.setdefault(row.entry_id, []).append(row.value)
        return found


def _of_post(
    media: Sequence[Media],
    rows: Sequence[FingerprintRow],
    failures: Sequence[keeping.Failure],
    point: Stored | None,
    pictures: Pictures | None,
) -> Checkable:
    by_medium: dict[UUID | None, list[FingerprintRow]] = defaultdict(list)
    for row in rows:
        by_medium[row.media_id].append(row)
    probes: list[Probe] = []
    text = point.dense.get("text") if point else None
    if (probe := text_probe(by_medium[None], None if text is None else text[None])) is not None:
        probes.append(probe)
    reasons = {failure.media_id: failure for failure in failures}
    unchecked = []
    for medium in media:
        hashes = by_medium[medium.id]
        if hashes:
            still = pictures is not None and any(row.kind == "pdq" and row.frame is None for row in hashes)
            picture = pictures(medium) if pictures is not None and still else None
            probes.append(media_probe(medium.position, hashes, picture=picture))
            if still and picture is None:
                unchecked.append(Unchecked("media", medium.position, "file_lost", _LOST))
        if (why := _why_unchecked(medium, hashes, reasons.get(medium.id))) is not None:
            unchecked.append(why)
    seen = point.multi.get("media") if point else None
    if seen is not None:  # rows are frames of all media in order; look-alikes do not need to know which
        probes.append(Probe("media", None, vectors=seen))
    return Checkable(tuple(probes), tuple(unchecked))


def _why_unchecked(medium: Media, hashes: Sequence[Hashed], failure: keeping.Failure | None) -> Unchecked | None:
    if medium.state == "waiting":
        return Unchecked("media", medium.position, "waiting", "the file has not been fetched yet")
    if failure is not None:
        return Unchecked("media", medium.position, failure.code, failure.reason)
    if medium.state == "failed":
        return Unchecked(
            "media", medium.position, medium.error_code or "failed", medium.error or "the file cannot be had"
        )
    if medium.kind == "audio":
        if any(row.kind == sounds.TRACK for row in hashes):
            return None
        return Unchecked("media", medium.position, "not_heard", "nobody has listened to its sound yet")
    if not any(row.kind == "pdq" for row in hashes):
        return Unchecked("media", medium.position, "not_decoded", "what it shows has no fingerprint")
    return None
