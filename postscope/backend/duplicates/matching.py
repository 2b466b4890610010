"""Whether posts are copies, part by part, from what is kept of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from postscope.backend.arrays import among
from postscope.backend.duplicates.asking import Asked, AskedMedium
from postscope.backend.duplicates.frame_looks import frame_look
from postscope.backend.fingerprinting.making import LOOK
from postscope.backend.runtime import Runtime
from postscope.backend.tables import FingerprintRow, Media, Post
from postscope.indexing.copies import scenes, sounds
from postscope.indexing.copies.frames import Frames, kept_frames
from postscope.indexing.copies.images import KeptImage, compare_images
from postscope.indexing.copies.looks import Look, unpack
from postscope.indexing.copies.sounds import compare_sounds
from postscope.indexing.copies.texts import TextPrint, compare_texts, text_print
from postscope.indexing.copies.verdicts import CopyVerdict
from postscope.indexing.copies.videos import compare_videos
from postscope.indexing.sound_prints import SoundPrint
from postscope.indexing.sound_prints import unpack as unpack_sound

_KINDS: Final = ("pdq", scenes.KIND, LOOK, sounds.TRACK)


@dataclass(frozen=True, slots=True, eq=False)
class KeptMedium:
    """One medium of a kept post: a picture, the frames of a video, a sound; none where nothing could be made of it.

    A picture is both an image and, to be compared with videos, one frame.
    """

    position: int
    sha256: str
    image: KeptImage | None
    frames: Frames | None
    sound: SoundPrint | None = None


@dataclass(frozen=True, slots=True, eq=False)
class KeptPost:
    """What is kept of a post to tell copies by."""

    post_id: UUID
    text: TextPrint
    media: tuple[KeptMedium, ...]


@dataclass(frozen=True, slots=True)
class Matched:
    """Two posts are copies.

    Attributes:
        score: of the best part.
        evidence: each part that matches, best first, as JSON.
    """

    score: float
    evidence: tuple[dict[str, Any], ...]

    def turned(self) -> Matched:
        """The same, told of the other post."""
        return Matched(self.score, tuple(_turned(item) for item in self.evidence))


def load_kept(runtime: Runtime, session: Session, ids: Sequence[UUID]) -> dict[UUID, KeptPost]:
    """Of those posts that are there."""
    texts = {row.id: row.text for row in session.execute(select(Post.id, Post.text).where(among(Post.id, ids)))}
    media: dict[UUID, list[Media]] = defaultdict(list)
    for medium in session.scalars(
        select(Media).where(among(Media.post_id, ids)).order_by(Media.post_id, Media.position)
    ):
        media[medium.post_id].append(medium)
    prints: dict[UUID, list[FingerprintRow]] = defaultdict(list)
    if media:
        rows = session.scalars(
            select(FingerprintRow)
            .where(among(FingerprintRow.post_id, media), FingerprintRow.kind.in_(_KINDS))
            .order_by(FingerprintRow.seq)
        )
        for row in rows:
            if row.media_id is not None:
                prints[row.media_id].append(row)
    made = {
        post_id: tuple(_medium(runtime, medium, prints[medium.id]) for medium in own if medium.sha256)
        for post_id, own in media.items()
    }
    return {post_id: KeptPost(post_id, text_print(text), made.get(post_id, ())) for post_id, text in texts.items()}


def compare(asked: Asked, kept: KeptPost, *, pdq_radius: int) -> Matched | None:
    """None where no part of the one is a copy of a part of the other."""
    found: list[dict[str, Any]] = []
    text = compare_texts(asked.text, kept.text)
    if text is not None:
        found.append(_evidence(text, None, None))
    for medium in asked.media:
        for other in kept.media:
            verdicts = _compare_media(medium, other, pdq_radius)
            found += [_evidence(verdict, medium.position, other.position) for verdict in verdicts]
    if not found:
        return None
    found.sort(key=lambda item: -item["score"])
    return Matched(found[0]["score"], tuple(found))


def _compare_media(medium: AskedMedium, other: KeptMedium, pdq_radius: int) -> list[CopyVerdict]:
    if medium.sha256 == other.sha256:
        return [CopyVerdict(medium.part, 1.0, (), (), {"same_file": True})]
    if medium.part == "image" and other.image is not None:
        still = compare_images(medium.pictures[0].asked, other.image, radius=pdq_radius)
        return [still] if still is not None else []
    seen = None
    if medium.frames is not None and other.frames is not None:
        seen = compare_videos(medium.frames, other.frames)
        if seen is None:
            return []  # two videos that show different things may well have the same music
    heard = compare_sounds(medium.sound, other.sound) if medium.sound and other.sound else None
    return [verdict for verdict in (seen, heard) if verdict is not None]


def _evidence(verdict: CopyVerdict, this: int | None, other: int | None) -> dict[str, Any]:
    return {
        "part": verdict.part,
        "score": verdict.score,
        "this_media": this,
        "other_media": other,
        "changes": list(verdict.changes),
        "undone": list(verdict.undone),
        "detail": verdict.detail,
    }


def _turned(item: dict[str, Any]) -> dict[str, Any]:
    detail = dict(item["detail"])
    for this, other in (("shown_of_this", "shown_of_other"), ("seconds", "other_seconds")):
        if this in detail:
            detail[this], detail[other] = detail[other], detail[this]
    if "speed" in detail:
        detail["speed"] = round(1 / item["detail"]["speed"], 3)
        detail["offset_seconds"] = round(0.0 - item["detail"]["offset_seconds"] / item["detail"]["speed"], 2)
    return {
        **item,
        "this_media": item["other_media"],
        "other_media": item["this_media"],
        "changes": item["undone"],
        "undone": item["changes"],
        "detail": detail,
    }


def _medium(runtime: Runtime, medium: Media, rows: Sequence[FingerprintRow]) -> KeptMedium:
    track = next((row.value for row in rows if row.kind == sounds.TRACK), None)
    sound = None if track is None else unpack_sound(track)
    frames, image = _frames(runtime, medium, rows), None
    if frames is not None and medium.kind not in ("video", "audio"):
        image = KeptImage(frames.pdq[0].tobytes(), int(frames.quality[0]), frames.look(0))
    return KeptMedium(medium.position, medium.sha256 or "", image, frames, sound)


def _frames(runtime: Runtime, medium: Media, rows: Sequence[FingerprintRow]) -> Frames | None:
    """Of a picture, one."""
    pdq = {row.frame: row for row in rows if row.kind == "pdq"}
    looks = {row.frame: row.value for row in rows if row.kind == LOOK}
    codes: dict[int | None, list[bytes]] = defaultdict(list)
    for row in rows:
        if row.kind == scenes.KIND:
            codes[row.frame].append(row.value)
    numbers = sorted((number for number in pdq if codes[number]), key=lambda number: number or 0)
    if not numbers:
        return None

    def look(place: int) -> Look | None:
        number = numbers[place]
        kept = looks.get(number)
        if kept is not None:
            return unpack(kept)
        return None if number is None else frame_look(runtime, medium.id, number)

    seconds = [pdq[number].seconds or 0.0 for number in numbers]
    prints = [(pdq[number].value, pdq[number].quality) for number in numbers]
    duration = medium.duration_seconds or max(seconds)
    return kept_frames(seconds, prints, [codes[number] for number in numbers], duration, look)
