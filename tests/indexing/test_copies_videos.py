from __future__ import annotations

import numpy as np
import pytest

from postscope.indexing.copies.videos import Frames, compare_videos, frames_of


def codes(count: int, seed: int) -> list[bytes]:
    return [row.tobytes() for row in np.random.default_rng(seed).integers(0, 256, (count, 32), np.uint8)]


def noisy(values: list[bytes], bits: int, seed: int) -> list[bytes]:
    rng = np.random.default_rng(seed)
    found = []
    for value in values:
        flips = np.zeros(256, np.uint8)
        flips[rng.choice(256, bits, replace=False)] = 1
        found.append((int.from_bytes(value) ^ int.from_bytes(np.packbits(flips).tobytes())).to_bytes(32))
    return found


PDQ, SCENE = codes(20, 1), codes(20, 2)


def video(seconds: list[float], pdq: list[bytes], scene: list[bytes], duration: float | None = None) -> Frames:
    return frames_of(seconds, pdq, [[code] for code in scene], duration or max(seconds) + 1)


WHOLE = video([float(2 * n) for n in range(20)], PDQ, SCENE)


def test_the_same_video_is_a_copy_at_no_offset() -> None:
    found = compare_videos(WHOLE, WHOLE)
    assert found is not None
    assert found.score > 0.95
    assert found.detail["offset_seconds"] == 0
    assert found.detail["speed"] == 1
    assert found.changes == ()


def test_a_stretch_is_found_with_its_offset() -> None:
    part = video([float(2 * n) + 0.3 for n in range(8)], noisy(PDQ[6:14], 20, 3), SCENE[6:14])
    found = compare_videos(part, WHOLE)
    assert found is not None
    assert found.detail["offset_seconds"] == pytest.approx(11.7, abs=0.01)
    assert found.detail["other_seconds"] == [12, 26]
    assert "trimmed" in found.changes
    assert "longer: other material around it" in found.undone


def test_a_faster_copy_is_found_with_its_speed() -> None:
    fast = video([float(2 * n) / 1.5 for n in range(20)], noisy(PDQ, 10, 4), SCENE)
    found = compare_videos(fast, WHOLE)
    assert found is not None
    assert found.detail["speed"] == 1.5
    assert found.detail["offset_seconds"] == pytest.approx(0, abs=0.1)


def test_a_cropped_copy_is_found_by_what_it_shows() -> None:
    found = compare_videos(video(WHOLE.seconds.tolist(), codes(20, 9), noisy(SCENE, 45, 5)), WHOLE)
    assert found is not None
    assert "cropped, framed or covered" in found.changes


def test_a_mirrored_copy_is_told_as_such() -> None:
    turned = [[other, value] for other, value in zip(codes(20, 11), noisy(PDQ, 12, 6), strict=True)]
    asked = frames_of(WHOLE.seconds.tolist(), [row[0] for row in turned], [[c] for c in codes(20, 12)], 40.0, turned)
    found = compare_videos(asked, WHOLE)
    assert found is not None
    assert "turned or mirrored" in found.changes


@pytest.mark.parametrize("shared", [1, 2])
def test_a_frame_or_two_in_common_are_no_copy(shared: int) -> None:
    pdq, scene = codes(20, 7), codes(20, 8)
    pdq[:shared], scene[:shared] = PDQ[:shared], SCENE[:shared]
    assert compare_videos(video(WHOLE.seconds.tolist(), pdq, scene), WHOLE) is None


def test_frames_in_another_order_are_no_copy() -> None:
    order = np.random.default_rng(0).permutation(20)
    shuffled = video(WHOLE.seconds.tolist(), [PDQ[n] for n in order], [SCENE[n] for n in order])
    assert compare_videos(shuffled, WHOLE) is None


@pytest.mark.parametrize("other", [WHOLE, video([0.0], PDQ[:1], SCENE[:1])])
def test_degenerate_videos(other: Frames) -> None:
    nothing = frames_of([], [], [], 0.0)
    assert compare_videos(nothing, other) is None
    assert compare_videos(other, nothing) is None


def test_a_still_of_one_frame_must_be_the_same_beyond_doubt() -> None:
    one = video([0.0], PDQ[:1], SCENE[:1], 5.0)
    assert compare_videos(one, video([0.0], noisy(PDQ[:1], 10, 1), codes(1, 20), 5.0)) is not None
    assert compare_videos(one, video([0.0], codes(1, 21), SCENE[:1], 5.0)) is None
