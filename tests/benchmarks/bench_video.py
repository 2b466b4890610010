"""Frames decoded and embedded, against a loop of PyAV and the encoder; and memory against a video's length.

python -m tests.benchmarks.bench_video
"""

from __future__ import annotations

import io
import statistics
import tempfile
import time
from pathlib import Path
from typing import IO

import av

from postscope.backend.setting_groups import EncoderSettings
from postscope.backend.settings import load_settings
from postscope.backend.taking_apart import open_stills
from postscope.indexing.encoders.base import Encoder
from postscope.indexing.media.sandbox.pool import Sandbox
from postscope.indexing.media.stills import Stills
from postscope.indexing.pipeline import IMAGE_SLICE, IMAGE_TARGET
from tests import av_files
from tests.benchmarks.rig import models_in

ROUNDS = 3
EVERY = 2.0


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        models, stills = models_in(Path(folder)), open_stills(load_settings(data_dir=Path(folder)), processes=2)
        encoder = models.get(EncoderSettings()).encoder
        speed(encoder, stills)
        models.close()
        stills.close()
    memory()


def speed(encoder: Encoder, stills: Stills) -> None:
    film = av_files.video(seconds=60.0, fps=25, size=(1280, 720), scenes=[(90, 90, 90)], sound=False, keyframes=50)
    with _file(film) as file:
        sandbox = Sandbox(size=1, memory_bytes=1024**3)
        ours, theirs = [], []
        for round_ in range(ROUNDS + 1):  # the first warms both
            mine, bare = _ours(sandbox, stills, file, encoder), _bare(film, encoder)
            if round_:
                ours.append(mine)
                theirs.append(bare)
        sandbox.close()
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"frames decoded and embedded a second, 60 s of 720p: {statistics.median(ours):.1f}, "
          f"bare PyAV and encoder {statistics.median(theirs):.1f}, ratio {ratio:.2f} (aim 0.80)")  # fmt: skip


def _ours(sandbox: Sandbox, stills: Stills, file: IO[bytes], encoder: Encoder) -> float:
    started = time.perf_counter()
    *frames, _ = _frames(sandbox, file)
    pictures = [stills.open(jpeg, target=IMAGE_TARGET) for _, jpeg in frames]
    for start in range(0, len(pictures), IMAGE_SLICE):
        encoder.encode_images(pictures[start : start + IMAGE_SLICE])
    return len(pictures) / (time.perf_counter() - started)


def _frames(sandbox: Sandbox, file: IO[bytes]) -> list[tuple[dict[str, object], bytes]]:
    params = {
        "most": 48, "every": EVERY, "max_pixels": 50_000_000, "max_duration": 3_600.0, "short_side": 384,
        "seconds": 300.0, "threads": 2, "animated": False,
    }  # fmt: skip
    return list(sandbox.run("frames", file.fileno(), params, seconds=320.0))


def _bare(film: bytes, encoder: Encoder) -> float:
    started, count, due, waiting = time.perf_counter(), 0, 0.0, []
    with av.open(io.BytesIO(film)) as source:
        source.streams.video[0].thread_type = "AUTO"
        for frame in source.decode(video=0):
            if frame.time is None or frame.time < due:
                continue
            due = frame.time + EVERY
            waiting.append(frame.to_image())
            count += 1
            if len(waiting) == IMAGE_SLICE:
                encoder.encode_images(waiting)
                waiting = []
        if waiting:
            encoder.encode_images(waiting)
    return count / (time.perf_counter() - started)


def memory() -> None:
    """Peak resident memory of the process that decodes, each video in a fresh one."""
    for seconds in (10.0, 1_800.0):
        film = av_files.video(seconds=seconds, fps=5, size=(320, 180), scenes=av_files.COLOURS * 4, keyframes=25)
        sandbox = Sandbox(size=1, memory_bytes=1024**3)
        with _file(film) as file:
            *frames, _ = _frames(sandbox, file)
            *_, (sound, _) = sandbox.run(
                "sound", file.fileno(), {"max_duration": 3_600.0, "seconds": 200.0}, seconds=220.0
            )
            (child,) = sandbox.processes()
            peak = int(Path(f"/proc/{child}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
        sandbox.close()
        print(
            f"{seconds:>6.0f} s of video: {len(frames)} frames, {sound['duration']:.0f} s of sound, peak {peak:.0f} MB"
        )


def _file(data: bytes) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(data)
    file.flush()
    return file


if __name__ == "__main__":
    main()
