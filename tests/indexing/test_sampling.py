from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postscope.indexing.media.decoding.sampling import Sampler


def shade(level: int) -> np.ndarray:
    return np.full((8, 8, 3), level, np.uint8)


def sample(levels: list[int], *, most: int, every: float, fps: float = 5.0, announced: bool = True) -> list[float]:
    length = len(levels) / fps
    sampler: Sampler[int] = Sampler(most=most, every=every, duration=length if announced else None)
    for number, level in enumerate(levels):
        seconds = number / fps
        if sampler.wants(seconds) and (scene := sampler.chooses(seconds, shade(level))) is not None:
            sampler.keep(seconds, number, scene=scene)
    return [kept.seconds for kept in sampler.result()]


def test_a_still_scene_has_a_frame_every_few_seconds() -> None:
    assert sample([50] * 100, most=50, every=4.0) == pytest.approx([0, 4, 8, 12, 16], abs=0.2)


def test_a_change_of_the_picture_is_kept() -> None:
    assert sample([0] * 35 + [200] * 15, most=50, every=100.0) == [0.0, 7.0]


def test_a_slow_change_is_kept_too() -> None:
    assert len(sample(list(range(0, 250)), most=50, every=1_000.0)) >= 8


@pytest.mark.parametrize("announced", [True, False])
def test_a_long_video_is_spread_over_its_length(announced: bool) -> None:
    seconds = sample([9] * 5_000, most=20, every=4.0, announced=announced)
    assert len(seconds) == 20
    assert seconds[0] == 0
    assert seconds[-1] > 930
    assert max(np.diff(seconds)) <= 110


def test_when_some_must_go_changes_stay() -> None:
    levels = [0] * 1_000
    levels[505:510] = [255] * 5
    assert any(101 <= at < 102 for at in sample(levels, most=10, every=10.0))


def test_one_frame_and_no_frame() -> None:
    assert sample([1, 200, 1, 200] * 50, most=1, every=1.0) == [0.0]
    assert sample([], most=5, every=1.0) == []


@given(
    st.lists(st.integers(0, 255), max_size=300),
    st.integers(1, 12),
    st.floats(0.1, 20),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_never_more_than_allowed_and_in_order(levels: list[int], most: int, every: float, announced: bool) -> None:
    seconds = sample(levels, most=most, every=every, announced=announced)
    assert len(seconds) <= most
    assert seconds == sorted(set(seconds))
    assert bool(seconds) == bool(levels)
    assert not levels or seconds[0] == 0
