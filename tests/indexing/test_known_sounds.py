"""Sounds against known ones, where the pictures beside them say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest

from postscope.indexing.copies.sounds import kept_codes
from postscope.indexing.known.index import KnownEntry, KnownIndex, KnownSignal
from postscope.indexing.known.matching import Probe, find
from postscope.indexing.known.signals import Frame, pack_frames
from postscope.indexing.sound_prints import SoundPrint, sound_print
from tests import sounds

RATE = 16_000
ENTRY = UUID(int=5)


class Tracks:
    """What is kept of entries."""

    def __init__(self, sound: SoundPrint) -> None:
        self._sound = sound

    def looks(self, ids: Sequence[UUID]) -> dict[UUID, list[object]]:
        return {}

    def tracks(self, ids: Sequence[UUID]) -> dict[UUID, list[SoundPrint]]:
        return {ENTRY: [self._sound]} if ENTRY in ids else {}


def heard(melody: sounds.Sound) -> SoundPrint:
    found = sound_print([sounds.samples(melody, RATE).tobytes()], rate=RATE)
    assert isinstance(found, SoundPrint)
    return found


@pytest.fixture(scope="module")
def music() -> SoundPrint:
    return heard(sounds.melody(1, 8))


def frames(seed: int) -> tuple[bytes, ...]:
    rng = np.random.default_rng(seed)
    return tuple(rng.bytes(32) for _ in range(4))


def known(sound: SoundPrint, pictures: Sequence[bytes]) -> KnownIndex:
    index = KnownIndex()
    signals = [KnownSignal("sound", code) for _, code in kept_codes(sound)]
    if pictures:
        signals.append(KnownSignal("vpdq", pack_frames(Frame(pdq, 100, n) for n, pdq in enumerate(pictures))))
    index.change([(KnownEntry(ENTRY, 0), signals)])
    return index


@pytest.mark.parametrize(
    ("own", "others", "matches"),
    [((), (), True), (frames(1), (), True), ((), frames(2), True), (frames(1), frames(2), False)],
    ids=["sounds", "video with a known sound", "sound of a known video", "other video, same music"],
)
def test_the_same_music_tells_nothing_of_two_videos_that_show_different_things(
    music: SoundPrint, own: tuple[bytes, ...], others: tuple[bytes, ...], *, matches: bool
) -> None:
    probe = Probe("media", 0, frames=own, sound=music)
    found = find(known(music, others), [probe], now=0.0, kept=Tracks(music))  # type: ignore[arg-type]
    assert [one.kind for one in found] == (["sound"] if matches else [])


def test_another_sound_is_no_copy(music: SoundPrint) -> None:
    probe = Probe("media", 0, sound=heard(sounds.melody(2, 8)))
    assert find(known(music, ()), [probe], now=0.0, kept=Tracks(music)) == []  # type: ignore[arg-type]
