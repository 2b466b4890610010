from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageDraw

from postscope.indexing.copies.frames import Frames, asked_frames, kept_frames
from postscope.indexing.copies.images import AskedImage, asked_image
from postscope.indexing.copies.looks import Look, look_at, unpack
from postscope.indexing.copies.videos import compare_videos
from postscope.sample import sample_dir


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


def kept(
    seconds: list[float], pdq: list[bytes], scene: list[bytes], duration: float | None = None, quality: int = 100
) -> Frames:
    made = [(value, quality) for value in pdq]
    return kept_frames(seconds, made, [[code] for code in scene], duration or max(seconds) + 1, lambda _: None)


def asked(
    seconds: list[float],
    pdq: list[bytes],
    scene: list[bytes],
    duration: float | None = None,
    turned: list[bytes] | None = None,
) -> Frames:
    """Of frames that only their PDQ tells."""
    turns = [(value,) for value in pdq] if turned is None else list(zip(pdq, turned, strict=True))
    pictures = [AskedImage(own, 100, NO_LOOK, NO_LOOK) for own in turns]
    return asked_frames(seconds, pictures, [[code] for code in scene], duration or max(seconds) + 1)


NO_LOOK = look_at(Image.new("L", (8, 8)))
TIMES = [float(2 * n) for n in range(20)]
WHOLE, ASKED = kept(TIMES, PDQ, SCENE), asked(TIMES, PDQ, SCENE)


def test_the_same_video_is_a_copy_at_no_offset() -> None:
    found = compare_videos(ASKED, WHOLE)
    assert found is not None
    assert found.score > 0.95
    assert found.detail["offset_seconds"] == 0
    assert found.detail["speed"] == 1
    assert found.detail["shown_of_this"] == found.detail["shown_of_other"] == 1
    assert found.changes == ()


def test_a_stretch_is_found_with_its_offset() -> None:
    part = asked([float(2 * n) + 0.3 for n in range(8)], noisy(PDQ[6:14], 20, 3), SCENE[6:14])
    found = compare_videos(part, WHOLE)
    assert found is not None
    assert found.detail["offset_seconds"] == pytest.approx(11.7, abs=0.01)
    assert found.detail["other_seconds"] == [12, 26]
    assert "trimmed" in found.changes
    assert "longer: other material around it" in found.undone


def test_a_faster_copy_is_found_with_its_speed() -> None:
    found = compare_videos(asked([second / 1.5 for second in TIMES], noisy(PDQ, 10, 4), SCENE), WHOLE)
    assert found is not None
    assert found.detail["speed"] == 1.5
    assert found.detail["offset_seconds"] == pytest.approx(0, abs=0.1)


def test_a_mirrored_copy_is_told_as_such() -> None:
    found = compare_videos(asked(TIMES, codes(20, 11), codes(20, 12), turned=noisy(PDQ, 12, 6)), WHOLE)
    assert found is not None
    assert "turned or mirrored" in found.changes


@pytest.mark.parametrize("shared", [1, 2])
def test_a_frame_or_two_in_common_are_no_copy(shared: int) -> None:
    assert (
        compare_videos(
            asked(TIMES, PDQ[:shared] + codes(20 - shared, 7), SCENE[:shared] + codes(20 - shared, 8)), WHOLE
        )
        is None
    )


def test_frames_in_another_order_are_no_copy() -> None:
    order = np.random.default_rng(0).permutation(20)
    assert compare_videos(asked(TIMES, [PDQ[n] for n in order], [SCENE[n] for n in order]), WHOLE) is None


def test_frames_that_only_seem_near_are_no_copy() -> None:
    """To the network one scene is often like another; that is no evidence by itself."""
    assert compare_videos(asked(TIMES, codes(20, 9), noisy(SCENE, 45, 5)), WHOLE) is None


def test_frames_that_show_nothing_are_no_copy() -> None:
    """The PDQ of a black frame says nothing."""
    assert compare_videos(ASKED, kept(TIMES, PDQ, SCENE, quality=10)) is None


def test_no_frames_are_no_copy() -> None:
    nothing = asked_frames([], [], [], 0.0)
    assert compare_videos(nothing, WHOLE) is None
    assert compare_videos(ASKED, kept_frames([], [], [], 0.0, lambda _: None)) is None


def test_a_video_of_one_frame_must_be_the_same_beyond_doubt() -> None:
    one = asked([0.0], PDQ[:1], SCENE[:1], 5.0)
    assert compare_videos(one, kept([0.0], noisy(PDQ[:1], 10, 1), codes(1, 20), 5.0)) is not None
    assert compare_videos(one, kept([0.0], codes(1, 21), SCENE[:1], 5.0)) is None


def test_the_same_intro_makes_no_copy() -> None:
    other = asked(TIMES, PDQ[:5] + codes(15, 30), SCENE[:5] + codes(15, 31))
    assert compare_videos(other, WHOLE) is None


def test_an_end_that_is_the_beginning_of_the_other_makes_no_copy() -> None:
    other = asked(TIMES, codes(15, 32) + PDQ[:5], codes(15, 33) + SCENE[:5])
    assert compare_videos(other, WHOLE) is None


def test_half_of_a_video_is_a_copy_that_says_so() -> None:
    found = compare_videos(asked(TIMES, PDQ[:12] + codes(8, 34), SCENE[:12] + codes(8, 35)), WHOLE)
    assert found is not None
    assert found.detail["seconds"] == found.detail["other_seconds"] == [0, 22]
    assert found.changes == found.undone == ("shares 60% of it",)


def test_a_title_card_that_stands_for_long_makes_no_copy() -> None:
    """One ends with the card, the other begins with it: it fits at any offset, but it is one picture."""
    card, code = PDQ[:1] * 8, SCENE[:1] * 8
    one, other = asked(TIMES, codes(12, 36) + card, codes(12, 37) + code), kept(
        TIMES, card + codes(12, 38), code + codes(12, 39)
    )  # fmt: skip
    assert compare_videos(one, other) is None


def test_a_video_of_one_standing_picture_is_a_copy_of_another_of_it() -> None:
    found = compare_videos(asked(TIMES[:6], PDQ[:1] * 6, SCENE[:1] * 6), kept(TIMES, PDQ[:1] * 20, SCENE[:1] * 20))
    assert found is not None
    assert "trimmed" in found.changes


def test_a_picture_is_a_copy_of_a_video_that_shows_it_all_the_time() -> None:
    still = asked_frames([0.0], [AskedImage((PDQ[0],), 100, NO_LOOK, NO_LOOK)], [SCENE[:1]], 0.0)
    standing = kept(TIMES, noisy(PDQ[:1] * 20, 8, 3), SCENE[:1] * 20)
    found = compare_videos(still, standing)
    assert found is not None
    assert (found.changes, found.undone) == (("a still picture of it",), ("shown as a video",))
    assert found.detail["shown_of_other"] == 1
    shown = kept_frames([0.0], [(PDQ[0], 100)], [SCENE[:1]], 0.0, lambda _: None)
    turned = compare_videos(asked(TIMES, PDQ[:1] * 20, SCENE[:1] * 20), shown)
    assert turned is not None
    assert turned.changes == ("shown as a video",)


@pytest.mark.parametrize("frames", [1, 3, 9])
def test_a_picture_that_a_video_shows_in_passing_is_no_copy_of_it(frames: int) -> None:
    still = asked_frames([0.0], [AskedImage((PDQ[0],), 100, NO_LOOK, NO_LOOK)], [SCENE[:1]], 0.0)
    passing = kept(TIMES, PDQ[:1] * frames + codes(20 - frames, 40), SCENE[:1] * frames + codes(20 - frames, 41))
    assert compare_videos(still, passing) is None


def photo(number: int) -> Image.Image:
    return Image.open(sorted((sample_dir() / "images").glob("*"))[number]).convert("RGB").resize((256, 192))


def drawing(number: int) -> Image.Image:
    """A few shapes on a plain ground."""
    rng = np.random.default_rng(number)
    picture = Image.new("RGB", (256, 192), tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for shape in (draw.ellipse, draw.rectangle) * 3:
        x, y, w, h = (int(rng.integers(low, high)) for low, high in ((0, 200), (0, 150), (30, 90), (30, 90)))
        shape((x, y, x + w, y + h), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return picture


def middle(picture: Image.Image) -> Image.Image:
    return picture.crop((32, 24, 224, 168))


def shown(pictures: Sequence[Image.Image]) -> Frames:
    """Asked about; to the network all of them are alike."""
    return asked_frames(TIMES[: len(pictures)], [asked_image(p) for p in pictures], [[bytes(32)]] * len(pictures), 12.0)


def stored(pictures: Sequence[Image.Image], *, without: Sequence[int] = ()) -> Frames:
    made = [asked_image(picture) for picture in pictures]

    @cache
    def look(place: int) -> Look | None:
        return None if place in without else unpack(made[place].look.less().pack())

    prints = [(one.turned[0], one.quality) for one in made]
    return kept_frames(TIMES[: len(made)], prints, [[bytes(32)]] * len(made), 12.0, look)


@pytest.mark.parametrize("kind", [photo, drawing])
def test_videos_of_other_things_are_no_copies_though_the_network_takes_them_for_alike(kind) -> None:
    one, other = [kind(n) for n in range(6)], [kind(n) for n in range(20, 26)]
    assert compare_videos(shown(one), stored(other)) is None


@pytest.mark.parametrize("kind", [photo, drawing])
def test_a_cropped_copy_is_told_by_its_features(kind) -> None:
    pictures = [kind(n) for n in range(6)]
    found = compare_videos(shown([middle(picture) for picture in pictures]), stored(pictures))
    assert found is not None
    assert found.detail["offset_seconds"] == 0
    assert (found.changes, found.undone) == (("cropped",), ("set in a frame, border or caption",))


@pytest.mark.parametrize("kind", [photo, drawing])
def test_a_view_that_was_caught_at_other_moments_is_not_called_cropped(kind) -> None:
    pictures = [kind(n) for n in range(6)]
    one, other = ([picture.crop((x, x, x + 200, x + 150)) for picture in pictures] for x in (0, 18))
    found = compare_videos(shown(one), stored(other))
    assert found is not None
    assert (found.changes, found.undone) == ((), ())


def test_frames_whose_pictures_are_lost_tell_nothing() -> None:
    pictures = [photo(n) for n in range(6)]
    assert compare_videos(shown([middle(picture) for picture in pictures]), stored(pictures, without=range(6))) is None
