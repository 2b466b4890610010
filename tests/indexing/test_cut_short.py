"""A file that ends too early says so, whatever its container, and one that is whole does not."""

from __future__ import annotations

import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.indexing.media.containers import mp3_cut_short, ogg_cut_short, wave_cut_short
from postscope.indexing.media.decoding.jobs import about
from postscope.indexing.media.decoding.sound import Sound, SoundLimits, decode_sound
from postscope.indexing.media.decoding.video import FrameLimits, Frames, video_frames
from postscope.indexing.media.errors import CorruptMedia, TruncatedMedia
from postscope.indexing.media.matroska import segment_cut_short
from tests import av_files

FRAMES = FrameLimits(8, 1.0, 10**6, 60.0, 64, 20.0, 1)
TONE = av_files.tone(4.0)


def heard(data: bytes) -> Sound:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return decode_sound(file.fileno(), SoundLimits(60.0, 20.0), lambda piece: None)


def seen(data: bytes) -> Frames:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return video_frames(file.fileno(), FRAMES)


@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus", "wav", "flac"])
def test_a_sound(kind: str) -> None:
    data = av_files.sound(kind, TONE)
    assert heard(data).problem is None
    assert heard(av_files.without_end(data, 0.6)).problem in ("truncated", "corrupt")
    assert heard(av_files.without_end(data, 0.6)).duration > 1


@pytest.mark.parametrize(
    ("kind", "options"),
    [("mkv-hevc", {}), ("webm-vp9", {}), ("mp4-h264", {"movflags": "frag_keyframe+empty_moov"})],
)
def test_a_video(kind: str, options: dict[str, str]) -> None:
    data = av_files.video(kind, seconds=4.0, options=options)
    assert seen(data).problem is None
    cut = seen(av_files.without_end(data, 0.7))
    assert cut.problem == "truncated"
    assert cut.kept


def test_a_live_file_that_says_no_size_is_whole() -> None:
    live = av_files.video("webm-vp9", seconds=1.0, options={"live": "1"})
    assert not segment_cut_short(live)
    assert seen(live).problem is None


def test_an_index_that_is_cut_is_no_sound_that_is_broken() -> None:
    with pytest.raises(TruncatedMedia):
        heard(av_files.without_end(av_files.sound("m4a", TONE), 0.97))


def test_a_film_with_nothing_in_it_is_corrupt() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(av_files.nested_boxes(50))
        file.flush()
        with pytest.raises(CorruptMedia, match="no picture and no sound"):
            about(file.fileno(), {}, lambda header, body: None)


def test_a_wave_of_a_stream_says_no_size() -> None:
    data = av_files.sound("wav")
    assert not wave_cut_short(data[:4] + b"\xff\xff\xff\xff" + data[8:1_000])
    assert not wave_cut_short(data[:4] + bytes(4) + data[8:1_000])


@given(st.binary(max_size=300))
def test_any_bytes_are_looked_at_to_their_end(data: bytes) -> None:
    for starts, cut_short in ((b"RIFF", wave_cut_short), (b"OggS", ogg_cut_short), (b"ID3", mp3_cut_short)):
        assert cut_short(data) in (True, False)
        assert cut_short(starts + data) in (True, False)
    assert mp3_cut_short(b"Info" + data) in (True, False)
    assert segment_cut_short(b"\x18\x53\x80\x67" + data) in (True, False)
