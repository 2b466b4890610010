"""Foreign media is decoded in a process that can be killed: files that hang or blow up a decoder cost one part."""

from __future__ import annotations

import io
import os
import signal
import struct
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import pytest
from PIL import Image

from postscope.indexing.media.errors import MediaError
from postscope.indexing.media.sandbox.pool import Sandbox, SandboxDown
from tests import av_files
from tests.media_files import animated, png_bomb, png_chunk, sound

FRAMES = {
    "most": 8,
    "every": 4.0,
    "max_pixels": 40_000_000,
    "max_duration": 600.0,
    "short_side": 64,
    "seconds": 20.0,
    "threads": 2,
    "animated": False,
}
SOUND = {"max_duration": 600.0, "seconds": 20.0}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(size=1, memory_bytes=1024**3)
    yield made
    made.close()


@pytest.fixture
def opened() -> Iterator[Callable[[bytes], IO[bytes]]]:
    files: list[IO[bytes]] = []

    def make(data: bytes) -> IO[bytes]:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        file.write(data)
        file.flush()
        files.append(file)
        return file

    yield make
    for file in files:
        file.close()


def run(sandbox: Sandbox, job: str, file: IO[bytes], params: dict[str, Any], seconds: float = 30.0) -> list[Any]:
    return list(sandbox.run(job, file.fileno(), params, seconds=seconds))


def children() -> set[int]:
    """Processes of sandboxes of this process."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and b"sandbox.child" in (entry / "cmdline").read_bytes():
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == os.getpid():
                    found.add(int(entry.name))
        except (OSError, ValueError, IndexError):
            continue
    return found


@pytest.mark.parametrize("kind", av_files.VIDEOS)
def test_videos_of_every_kind(kind: str, sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]) -> None:
    file = opened(av_files.video(kind, seconds=3.0))
    *kept, (done, _) = run(sandbox, "frames", file, FRAMES)
    assert (done["problem"], done["width"], done["height"]) == (None, 96, 64)
    assert done["duration"] == pytest.approx(3.0, abs=0.2)
    assert [round(item["seconds"], 1) for item, _ in kept] == pytest.approx([0, 1, 2], abs=0.25)
    for (_, jpeg), colour in zip(kept, av_files.COLOURS, strict=False):
        middle = Image.open(io.BytesIO(jpeg)).convert("RGB").getpixel((48, 32))
        assert middle == pytest.approx(colour, abs=40)
    assert run(sandbox, "sound", file, SOUND)[-1][0]["duration"] == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("kind", av_files.SOUNDS)
def test_sounds_of_every_kind(kind: str, sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]) -> None:
    file = opened(av_files.sound(kind))
    ((about, _),) = run(sandbox, "about", file, {})
    assert about["video"] is None
    assert about["audio"] == {"code": None, "reason": None}
    *pieces, (done, _) = run(sandbox, "sound", file, SOUND)
    assert done["problem"] is None
    assert sum(len(piece) for _, piece in pieces) == pytest.approx(32_000, rel=0.08)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations(kind: str, sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]) -> None:
    *kept, (done, _) = run(sandbox, "frames", opened(animated(kind, 10)), FRAMES | {"animated": True})
    assert done["problem"] is None
    assert [item["seconds"] for item, _ in kept] == [0.0, pytest.approx(0.6, abs=0.15)]


def test_a_long_video_is_sampled_over_its_whole_length(sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]) -> None:
    file = opened(av_files.video(seconds=120.0, fps=4, size=(32, 32), scenes=av_files.COLOURS * 5, sound=False))
    *kept, _ = run(sandbox, "frames", file, FRAMES)
    seconds = [item["seconds"] for item, _ in kept]
    assert len(seconds) == FRAMES["most"]
    assert seconds[0] < 5
    assert seconds[-1] > 100
    assert max(b - a for a, b in pairwise(seconds)) < 45


def huge_dimensions() -> bytes:
    """A GIF that promises 65,535 x 65,535 pixels in each of two frames."""
    size = struct.pack("<HH", 65_535, 65_535)
    frame = b"\x2c\0\0\0\0" + size + b"\0\x02\x02\x44\x01\0"
    return b"GIF89a" + size + b"\x80\0\0\0\0\0\xff\xff\xff" + frame + frame + b"\x3b"


def endless_animation() -> bytes:
    """A GIF with 200,000 frames of one pixel, each of which has the whole picture drawn again."""
    size = struct.pack("<HH", 2_000, 2_000)
    frame = b"\x21\xf9\x04\x08\0\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
    return b"GIF89a" + size + b"\x80\0\0\0\0\0\xff\xff\xff" + frame * 200_000 + b"\x3b"


FILM = av_files.video(seconds=2.0)
HOSTILE = {
    "encrypted": (FILM.replace(b"avc1", b"encv"), {"encrypted"}),
    "encrypted webm": (av_files.encrypted_matroska(av_files.video("webm-vp9", seconds=1.0)), {"encrypted"}),
    "no decoder": (FILM.replace(b"avc1", b"zzz1"), {"unsupported_codec", "corrupt"}),
    "cut before its index": (av_files.without_end(FILM, 0.6), {"truncated"}),
    "nested boxes": (av_files.nested_boxes(20_000), {"corrupt", "decoder_crashed", "truncated"}),
    "only a head": (FILM[:64], {"truncated", "corrupt"}),
    "noise behind a head": (b"\x1aE\xdf\xa3" + bytes(range(256)) * 400, {"corrupt", "too_slow"}),
    "a text that calls itself a playlist": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", {"unsupported"}),
    "a film that names another file": (
        av_files.box(b"ftyp", b"qt  \0\0\0\0qt  ")
        + av_files.box(b"moov", av_files.box(b"rmra", b"file:///etc/passwd")),
        {"corrupt", "truncated"},
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_film_is_refused_with_its_reason_and_the_next_one_is_decoded(
    name: str, sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]
) -> None:
    data, codes = HOSTILE[name]
    with pytest.raises(MediaError) as refused:
        run(sandbox, "frames", opened(data), FRAMES, seconds=10.0)
    assert refused.value.code in codes, refused.value.reason
    assert refused.value.reason
    assert len(run(sandbox, "frames", opened(FILM), FRAMES)) > 1


def test_more_pixels_than_allowed_are_not_decoded(sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]) -> None:
    jobs = ((huge_dimensions(), {"animated": True}), (FILM, {"max_pixels": 96 * 64 - 1}))
    for data, changed in jobs:
        with pytest.raises(MediaError) as refused:
            run(sandbox, "frames", opened(data), FRAMES | changed)
        assert refused.value.code == "too_many_pixels"


def test_too_much_memory_ends_the_job_and_not_the_one_who_asked(opened: Callable[[bytes], IO[bytes]]) -> None:
    small = Sandbox("pictures", size=1, memory_bytes=400 * 1024**2)
    try:
        with pytest.raises(MediaError) as refused:
            run(small, "picture", opened(png_bomb(20_000)), {"max_pixels": 10**9, "target": 64}, seconds=60.0)
        assert refused.value.code in ("out_of_memory", "decoder_crashed")
        assert run(small, "picture", opened(sound("PNG")), {"max_pixels": 10**6, "target": 64})[0][0]["width"] == 64
    finally:
        small.close()


def test_a_job_that_hangs_is_killed_in_time_and_replaced(
    sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]
) -> None:
    run(sandbox, "about", opened(FILM), {})
    before, started = children(), time.monotonic()
    with pytest.raises(MediaError) as refused:
        run(sandbox, "frames", opened(endless_animation()), FRAMES | {"animated": True, "seconds": 60.0}, seconds=1.5)
    assert refused.value.code == "too_slow"
    assert time.monotonic() - started < 10
    assert not before & children()
    assert len(run(sandbox, "frames", opened(FILM), FRAMES)) > 1


def test_an_endless_animation_gives_what_was_seen_when_its_own_time_is_over(
    sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]
) -> None:
    params = FRAMES | {"animated": True, "seconds": 1.0}
    *kept, (done, _) = run(sandbox, "frames", opened(endless_animation()), params)
    assert kept
    assert done["problem"] == "too_slow"


def test_what_plays_for_too_long_is_refused(sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]) -> None:
    endless = av_files.sound("aac", av_files.tone(2.0)) * 20
    for job, params in (("sound", SOUND), ("frames", FRAMES)):
        data = endless if job == "sound" else FILM
        with pytest.raises(MediaError) as refused:
            run(sandbox, job, opened(data), params | {"max_duration": 1.0})
        assert refused.value.code == "too_long"


def test_a_film_of_unknown_length_ends_at_the_limit(sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]) -> None:
    live = av_files.video("webm-vp9", seconds=6.0, options={"live": "1"})
    *kept, (done, _) = run(sandbox, "frames", opened(live), FRAMES | {"max_duration": 3.0})
    assert done["problem"] == "too_long"
    assert kept[-1][0]["seconds"] <= 3
    *pieces, (done, _) = run(sandbox, "sound", opened(live), SOUND | {"max_duration": 3.0})
    assert done["problem"] == "too_long"
    assert sum(len(piece) for _, piece in pieces) < 4 * 32_000


def test_a_process_that_dies_is_replaced_and_names_no_file_twice(
    sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]
) -> None:
    run(sandbox, "about", opened(FILM), {})
    (child,) = children()
    jobs = sandbox.run("frames", opened(FILM).fileno(), FRAMES, seconds=20.0)
    next(jobs)
    os.kill(child, signal.SIGSEGV)
    jobs.close()
    assert len(run(sandbox, "frames", opened(FILM), FRAMES)) > 1
    assert child not in children()


def test_processes_are_used_again(sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]) -> None:
    run(sandbox, "about", opened(FILM), {})
    before = children()
    for _ in range(5):
        run(sandbox, "about", opened(FILM), {})
        with pytest.raises(MediaError):
            run(sandbox, "about", opened(b"no film"), {})
    assert children() == before


def test_a_closed_sandbox_blames_no_file(opened: Callable[[bytes], IO[bytes]]) -> None:
    closed = Sandbox(size=2, memory_bytes=1024**3)
    jobs = closed.run("frames", opened(av_files.video(seconds=5.0)).fileno(), FRAMES, seconds=20.0)
    next(jobs)
    closed.close()
    with pytest.raises(SandboxDown):
        list(closed.run("about", opened(FILM).fileno(), {}, seconds=5.0))
    jobs.close()
    assert not [pid for pid in children() if _of(closed, pid)]


def _of(sandbox: Sandbox, pid: int) -> bool:
    return pid in sandbox.processes()


def test_the_child_has_no_secret_and_no_network(
    opened: Callable[[bytes], IO[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTSCOPE_AUTHOR_KEY", "k" * 32)
    fresh = Sandbox(size=1, memory_bytes=1024**3)
    try:
        before = children()
        run(fresh, "about", opened(FILM), {})
        (child,) = children() - before
        assert b"POSTSCOPE" not in Path(f"/proc/{child}/environ").read_bytes()
        limits = Path(f"/proc/{child}/limits").read_text()
        assert str(1024**3) in limits
        assert os.getpgid(child) == child
    finally:
        fresh.close()


def test_zlib_bomb_in_a_png_animation(sandbox: Sandbox, opened: Callable[[bytes], IO[bytes]]) -> None:
    rows = zlib.compress(bytes(50_000_000), 9)
    control = png_chunk(b"acTL", struct.pack(">II", 2, 0))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + control + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    started = time.monotonic()
    *kept, _ = run(sandbox, "frames", opened(data), FRAMES | {"animated": True})
    assert len(kept) <= 2
    assert time.monotonic() - started < 10
