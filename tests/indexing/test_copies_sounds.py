from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postscope.indexing.copies.sounds import RADIUS, asked_codes, compare_sounds, kept_codes
from postscope.indexing.hamming import HammingIndex
from postscope.indexing.sound_prints import BYTES, SoundListener, SoundPrint, sound_print, unpack
from tests.sounds import RATE, Sound, cut, faster, melody, samples


def printed(sound: Sound) -> SoundPrint:
    found = sound_print([samples(sound).tobytes()], rate=RATE)
    assert isinstance(found, SoundPrint), found
    return found


ONE = melody(1)


@pytest.mark.parametrize(
    ("edited", "offset", "speed"),
    [
        (ONE * 0.05, 0.0, 1.0),
        (ONE + np.random.default_rng(0).normal(0, ONE.std() / 3, len(ONE)), 0.0, 1.0),
        (cut(ONE, 3.3, 9.1), 3.3, 1.0),
        (np.concatenate([melody(8, 5), ONE, melody(9, 3)]), -5.0, 1.0),
        (faster(ONE, 1.06), 0.0, 1.06),
        (faster(cut(ONE, 2.0, 11.0), 0.9), 2.0, 0.9),
    ],
    ids=["quieter", "noise", "trimmed", "inside", "faster", "trimmed and slower"],
)
def test_edited_copies_are_found_with_offset_and_speed(edited: Sound, offset: float, speed: float) -> None:
    found = compare_sounds(printed(edited), printed(ONE))
    assert found is not None
    assert found.part == "audio"
    assert found.detail["offset_seconds"] == pytest.approx(offset, abs=0.3)
    assert found.detail["speed"] == pytest.approx(speed, abs=0.02)
    index = HammingIndex()
    index.append([(number + 1, code) for number, (_, code) in enumerate(kept_codes(printed(ONE)))])
    assert any(index.nearest(asked_codes(printed(edited)), 1, radius=RADIUS))


def test_a_verdict_says_what_was_done() -> None:
    found = compare_sounds(printed(faster(cut(ONE, 2, 9), 1.06)), printed(ONE))
    assert found is not None
    assert any("1.0" in change and "speed" in change for change in found.changes)
    assert "trimmed" in found.changes
    assert "longer: other material around it" in found.undone
    same = compare_sounds(printed(ONE), printed(ONE))
    assert same is not None
    assert (same.changes, same.undone) == ((), ())
    assert same.score > found.score


def test_other_sounds_are_no_copies() -> None:
    others = [printed(melody(seed, 8)) for seed in range(20, 25)]
    for place, one in enumerate(others):
        assert compare_sounds(one, printed(ONE)) is None
        assert all(compare_sounds(one, other) is None for other in others[:place])


def test_a_jingle_that_two_share_makes_no_copy() -> None:
    jingle = melody(5, 3)
    one, other = (np.concatenate([jingle, melody(seed, 9)]) for seed in (6, 7))
    assert compare_sounds(printed(one), printed(other)) is None


@pytest.mark.parametrize(
    ("sound", "problem"),
    [
        (np.zeros(0), "sound_too_short"),
        (cut(ONE, 0, 2.9), "sound_too_short"),
        (np.zeros(5 * RATE), "sound_silent"),
        (np.concatenate([ONE[:RATE], np.zeros(9 * RATE)]), "sound_silent"),
        (np.sin(2 * np.pi * 440 * np.arange(5 * RATE) / RATE) / 2, "sound_steady"),
    ],
    ids=["empty", "short", "silent", "nearly silent", "steady"],
)
def test_where_there_is_nothing_to_tell_a_sound_by(sound: Sound, problem: str) -> None:
    assert sound_print([samples(sound).tobytes()] if len(sound) else [], rate=RATE) == problem


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 70_001), min_size=1, max_size=5))
def test_it_does_not_matter_how_the_samples_are_cut(sizes: list[int]) -> None:
    data, listener = samples(cut(ONE, 0, 4)).tobytes(), SoundListener(RATE)
    whole, at, number = sound_print([data], rate=RATE), 0, 0
    while at < len(data):
        size = sizes[number % len(sizes)] + (1_000 if number > 20 else 0)
        listener.hear(data[at : at + size])
        at, number = at + size, number + 1
    found = listener.result()
    assert isinstance(found, SoundPrint)
    assert isinstance(whole, SoundPrint)
    assert found.pack() == whole.pack()


def test_packed_and_back() -> None:
    one = printed(ONE)
    again = unpack(one.pack())
    assert again.pack() == one.pack()
    assert len(one.pack()) == BYTES * len(one.bits)
    assert again.seconds == one.seconds
    with pytest.raises(ValueError, match="6 bytes"):
        unpack(b"1234567")
