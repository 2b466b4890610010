from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.indexing.media.matroska import encrypted_tracks
from tests import av_files

WEBM, MKV = (av_files.video(kind, seconds=1.0) for kind in ("webm-vp9", "mkv-hevc"))


@pytest.mark.parametrize("data", [WEBM, MKV], ids=["webm", "mkv"])
def test_a_file_that_is_encrypted_says_so_and_others_do_not(data: bytes) -> None:
    assert not encrypted_tracks(data)
    assert encrypted_tracks(av_files.encrypted_matroska(data))
    assert not encrypted_tracks(av_files.encrypted_matroska(data, kind=0)), "compressed is not encrypted"


def test_a_live_file_says_no_sizes() -> None:
    live = av_files.video("webm-vp9", seconds=1.0, options={"live": "1"})
    assert not encrypted_tracks(live)
    assert encrypted_tracks(av_files.encrypted_matroska(live))


@given(st.binary(max_size=200))
def test_any_bytes_are_walked_to_their_end(data: bytes) -> None:
    assert encrypted_tracks(data) in (True, False)
    assert encrypted_tracks(WEBM[:40] + data) in (True, False)


@given(st.integers(0, len(WEBM)))
def test_a_file_may_end_anywhere(end: int) -> None:
    assert not encrypted_tracks(WEBM[:end])


def test_ten_thousand_elements_are_enough() -> None:
    empty = b"\xec\x80"  # Void
    assert not encrypted_tracks(b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" + empty * 1_000_000)
