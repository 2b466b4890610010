"""Edited copies of videos and sounds: recall, offset error and false pairs of what the project ships.

Run as ``python -m tests.benchmarks.bench_copies_video [videos] [drawings] [melodies] [speech]``. Twelve short
videos move over pictures of the sample, and twelve over drawn shapes; each is edited in seven ways, and all of them are
asked about against all originals of their kind. Twelve
melodies and, where espeak-ng is installed, three spoken texts are edited in eleven ways. With ``speech`` as argument
the spoken ones are transcribed too, and the copies found by their transcripts are counted beside those found by the
fingerprint.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw

from postscope.backend.fingerprinting.pictures import picture_of
from postscope.indexing.copies.frames import Frames, asked_frames, kept_frames
from postscope.indexing.copies.looks import unpack
from postscope.indexing.copies.scenes import SceneReader, open_scenes
from postscope.indexing.copies.sounds import RADIUS, asked_codes, compare_sounds, kept_codes
from postscope.indexing.copies.texts import compare_texts, text_print
from postscope.indexing.copies.verdicts import CopyVerdict
from postscope.indexing.copies.videos import compare_videos
from postscope.indexing.hamming import HammingIndex
from postscope.indexing.media.decoding.video import FrameLimits, video_frames
from postscope.indexing.sound_prints import SoundPrint, sound_print
from postscope.sample import sample_dir
from tests import av_files
from tests.sounds import RATE, Sound, cut, faster, melody, samples

VIDEOS, SECONDS, FPS, SIZE = 12, 12.0, 6, (256, 192)
Edit = tuple[str, float | None]
TEXTS = (
    "The ferry to the island leaves at nine in the morning, and again at noon if the tide allows.",
    "Yesterday the council decided to close the old bridge. Traffic will be sent through the north of the town.",
    "Bake the bread for forty minutes, then let it rest on a rack. The crust should be dark and hollow inside.",
)


def photo(number: int) -> Image.Image:
    """A picture of the sample, larger than a frame, so that the view can wander over it."""
    pictures = sorted((sample_dir() / "images").iterdir())
    return Image.open(pictures[number]).convert("RGB").resize((360, 270))


def drawing(number: int) -> Image.Image:
    """Shapes on a ground, of few colours: to a network one is much like another."""
    rng = np.random.default_rng(number)
    picture = Image.new("RGB", (360, 270), tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for shape in (draw.ellipse, draw.rectangle) * 4:
        x, y, w, h = (int(rng.integers(low, high)) for low, high in ((0, 300), (0, 220), (30, 120), (30, 120)))
        shape((x, y, x + w, y + h), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return picture


def film(number: int, scene: Callable[[int], Image.Image]) -> list[Image.Image]:
    """Frames of an original: five scenes, each moving."""
    per, frames = round(SECONDS * FPS / 5), []
    for place in range(5):
        picture = scene(5 * number + place)
        frames += [picture.crop((4 * n, 3 * n, 4 * n + 256, 3 * n + 192)) for n in range(per)]
    return frames


def edits(frames: Sequence[Image.Image]) -> Iterator[tuple[str, list[Image.Image], int, float, float]]:
    """Name, frames, quality (CRF), offset and speed that a verdict should say."""
    width, height = SIZE
    box = (width // 8, height // 8, width - width // 8, height - height // 8)
    yield "re-encoded", list(frames), 38, 0.0, 1.0
    yield "cropped to 75%", [frame.crop(box) for frame in frames], 26, 0.0, 1.0
    yield "trimmed to the middle half", list(frames[len(frames) // 4 : -len(frames) // 4]), 26, SECONDS / 4, 1.0
    yield "1.5 times as fast", [frames[int(n * 1.5)] for n in range(int(len(frames) / 1.5))], 26, 0.0, 1.5
    yield "mirrored", [frame.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for frame in frames], 26, 0.0, 1.0
    yield "in a frame", [_framed(frame) for frame in frames], 26, 0.0, 1.0
    yield "trimmed, mirrored, re-encoded", [
        frame.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for frame in frames[len(frames) // 4 :]
    ], 36, SECONDS / 4, 1.0  # fmt: skip


def _framed(frame: Image.Image) -> Image.Image:
    whole = Image.new("RGB", (288, 384), (245, 245, 245))
    ImageDraw.Draw(whole).rectangle((0, 0, 288, 40), fill=(30, 60, 120))
    whole.paste(frame.resize((272, 204)), (8, 90))
    return whole


def encoded(frames: Sequence[Image.Image], crf: int) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=FPS, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height = (side // 2 * 2 for side in frames[0].size)
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_image(frame.crop((0, 0, stream.width, stream.height)))))
        file.mux(stream.encode())
    return out.getvalue()


def seen(reader: SceneReader, data: bytes) -> Frames:
    """As the stages make it."""
    limits = FrameLimits(most=12, every=2.0, max_pixels=10**7, max_duration=100, short_side=256, seconds=60, threads=1)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        found = video_frames(file.fileno(), limits)
    pictures = [picture_of(reader, Image.open(io.BytesIO(kept.item)).convert("RGB")) for kept in found.kept]
    return asked_frames(
        [kept.seconds for kept in found.kept],
        [picture.asked for picture in pictures],
        [picture.codes.kept for picture in pictures],
        found.duration,
    )


def as_kept(frames: Frames) -> Frames:
    """As it is kept of a post."""
    return kept_frames(
        frames.seconds.tolist(),
        [(picture.turned[0], picture.quality) for picture in frames.pictures],
        [[code.tobytes() for code in codes] for codes in frames.scene],
        frames.duration,
        lambda place: unpack(frames.pictures[place].look.less().pack()),
    )


def decoded(data: bytes) -> Sound:
    pieces = []
    with av.open(io.BytesIO(data)) as file:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in file.decode(audio=0):
            frame.pts = None
            pieces += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    return np.concatenate(pieces) / 32_768


def sound_edits(sound: Sound, seed: int) -> Iterator[tuple[str, Sound, float, float]]:
    """Name, sound, offset and speed that a verdict should say."""
    rng, length = np.random.default_rng(seed), len(sound) / RATE
    middle = cut(sound, length / 4, length * 3 / 4)
    yield "MP3", decoded(av_files.sound("mp3", samples(sound, av_files.SAMPLES))), 0.0, 1.0
    yield "Opus", decoded(av_files.sound("opus", samples(sound, av_files.SAMPLES))), 0.0, 1.0
    yield "26 dB quieter", sound / 20, 0.0, 1.0
    yield "noise at 10 dB", sound + rng.normal(0, sound.std() * 0.316, len(sound)), 0.0, 1.0
    yield "trimmed to the middle half", middle, length / 4, 1.0
    yield "within other sound", np.concatenate([melody(seed + 500, 6), sound, melody(seed + 600, 4)]), -6.0, 1.0
    yield "3% faster", faster(sound, 1.03), 0.0, 1.03
    yield "6% faster", faster(sound, 1.06), 0.0, 1.06
    yield "10% slower", faster(sound, 0.9), 0.0, 0.9
    yield "20% faster", faster(sound, 1.2), 0.0, 1.2
    yield "trimmed, 5% faster, MP3", decoded(
        av_files.sound("mp3", samples(faster(middle, 1.05), av_files.SAMPLES))
    ), length / 4, 1.05  # fmt: skip


def spoken(text: str) -> Sound:
    from scipy.signal import resample_poly

    made = subprocess.run(["espeak-ng", "-v", "en", "--stdout", text], capture_output=True, check=True).stdout
    return np.asarray(resample_poly(np.frombuffer(made[44:], np.int16) / 32_768, 320, 441))


def tell(name: str, found: Sequence[tuple[CopyVerdict | None, float, float]]) -> None:
    """One line: recall, and the errors of what was found."""
    hits = [(verdict.detail, offset, speed) for verdict, offset, speed in found if verdict is not None]
    off = [abs(detail["offset_seconds"] - offset) for detail, offset, _ in hits]
    fast = [abs(detail["speed"] / speed - 1) for detail, _, speed in hits]
    errors = f"offset off by {median(off):.2f} s (most {max(off):.2f}), speed by {median(fast):.1%}" if hits else ""
    print(f"  {name:30} {len(hits)}/{len(found)}  {errors}", flush=True)


def bench_videos(kind: str, scene: Callable[[int], Image.Image]) -> None:
    took = 0.0
    with tempfile.TemporaryDirectory() as cache:
        reader = open_scenes(Path(cache), threads=1)
        films = [film(number, scene) for number in range(VIDEOS)]
        kept = [as_kept(seen(reader, encoded(frames, 23))) for frames in films]
        told: dict[str, list[tuple[CopyVerdict | None, float, float]]] = {}
        wrong = pairs = 0
        for number, frames in enumerate(films):
            for name, edited, crf, offset, speed in edits(frames):
                asked = seen(reader, encoded(edited, crf))
                started = time.perf_counter()
                told.setdefault(name, []).append((compare_videos(asked, kept[number]), offset, speed))
                others = [compare_videos(asked, other) for place, other in enumerate(kept) if place != number]
                took += time.perf_counter() - started
                wrong, pairs = wrong + sum(other is not None for other in others), pairs + len(others)
    print(f"videos of {kind}: {VIDEOS} of {SECONDS:.0f} s")
    for name, found in told.items():
        tell(name, found)
    tell("all", [item for found in told.values() for item in found])
    print(f"  false pairs: {wrong} of {pairs}; {1000 * took / (pairs + pairs / (VIDEOS - 1)):.0f} ms a comparison")


def _printed(sound: Sound) -> SoundPrint | None:
    found = sound_print([samples(sound).tobytes()], rate=RATE)
    return found if isinstance(found, SoundPrint) else None


def bench_sounds(kind: str, sounds: Sequence[Sound], hear: Callable[[Sound], str] | None) -> None:
    kept = [_printed(sound) for sound in sounds]
    index, owner = HammingIndex(), list[int]()
    for number, made in enumerate(kept):
        codes = kept_codes(made) if made else []
        index.append([(len(owner) + place + 1, code) for place, (_, code) in enumerate(codes)])
        owner += [number] * len(codes)
    texts = [text_print(hear(sound)) for sound in sounds] if hear else []
    told: dict[str, list[tuple[CopyVerdict | None, float, float]]] = {}
    by_words: dict[str, int] = {}
    wrong = pairs = unmade = wrong_words = 0
    took = heard_in = 0.0
    for number, sound in enumerate(sounds):
        for name, edited, offset, speed in sound_edits(sound, number):
            started = time.perf_counter()
            asked = _printed(edited)
            if asked is None:
                unmade += 1
                told.setdefault(name, []).append((None, offset, speed))
                continue
            near = {owner[n.number - 1] for row in index.nearest(asked_codes(asked), 16, radius=RADIUS) for n in row}
            verdict = compare_sounds(asked, kept[number] or asked) if number in near else None
            took += time.perf_counter() - started
            told.setdefault(name, []).append((verdict, offset, speed))
            others = [compare_sounds(asked, other) for n, other in enumerate(kept) if n != number and other]
            wrong, pairs = wrong + sum(other is not None for other in others), pairs + len(others)
            if hear:
                started = time.perf_counter()
                words = text_print(hear(edited))
                heard_in += time.perf_counter() - started
                by_words[name] = by_words.get(name, 0) + (compare_texts(words, texts[number]) is not None)
                wrong_words += sum(compare_texts(words, t) is not None for n, t in enumerate(texts) if n != number)
    print(f"{kind}: {len(sounds)} of {min(map(len, sounds)) / RATE:.0f} to {max(map(len, sounds)) / RATE:.0f} s")
    for name, found in told.items():
        tell(name, found)
        if hear:
            print(f"  {'':30} {by_words.get(name, 0)}/{len(found)} by transcript")
    tell("all", [item for found in told.values() for item in found])
    asked_in_all = sum(map(len, told.values()))
    print(f"  false pairs: {wrong} of {pairs}; too short for a fingerprint: {unmade}")
    print(f"  fingerprint, candidates and verdict: {1000 * took / asked_in_all:.0f} ms each")
    if hear:
        print(f"  by transcript: {sum(by_words.values())} found, {wrong_words} false pairs,", end=" ")
        print(f"{1000 * heard_in / asked_in_all:.0f} ms each")


def hearing() -> Callable[[Sound], str]:
    """Transcribes with the model that the project ships."""
    from postscope.indexing.media.decoding.speech import Hearing, SpeechGates
    from postscope.indexing.media.hearing import model_folder

    model = Hearing(model_folder("bundled", Path(tempfile.gettempdir())), threads=1, gates=SpeechGates())

    def hear(sound: Sound) -> str:
        heard = model.hear(io.BytesIO(samples(sound).tobytes()), seconds=120)
        return " ".join(item.text for item in heard.spoken)

    return hear


def main(*parts: str) -> None:
    if not parts or "videos" in parts:
        bench_videos("photos in motion", photo)
    if not parts or "drawings" in parts:
        bench_videos("drawn shapes in motion", drawing)
    if not parts or "melodies" in parts:
        bench_sounds("melodies", [melody(seed, 16) for seed in range(12)], None)
    if shutil.which("espeak-ng") is None:
        print("speech: skipped, espeak-ng is not installed")
    elif not parts or "speech" in parts:
        voices = [spoken(text) for text in TEXTS]
        bench_sounds("speech", voices, hearing() if "speech" in parts else None)


if __name__ == "__main__":
    main(*sys.argv[1:])
