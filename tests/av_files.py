"""Makes video and audio files of every kind: sound ones and hostile ones. Each function gives the file's bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from PIL import Image

COLOURS = ((220, 30, 30), (30, 200, 60), (40, 60, 220), (240, 220, 40), (250, 250, 250), (20, 20, 20))
SAMPLES = 48_000

VIDEOS = {
    "mp4-h264": ("mp4", "libx264", "aac", "video/mp4"),
    "mov-h264": ("mov", "libx264", "aac", "video/quicktime"),
    "mkv-hevc": ("matroska", "libx265", "flac", "video/x-matroska"),
    "webm-vp9": ("webm", "libvpx-vp9", "libopus", "video/webm"),
    "mp4-av1": ("mp4", "libsvtav1", "aac", "video/mp4"),
}
SOUNDS = {
    "mp3": ("mp3", "libmp3lame", "audio/mpeg"),
    "aac": ("adts", "aac", "audio/aac"),
    "ogg": ("ogg", "flac", "application/ogg"),
    "opus": ("ogg", "libopus", "application/ogg"),
    "wav": ("wav", "pcm_s16le", "audio/wav"),
    "flac": ("flac", "flac", "audio/flac"),
    "m4a": ("ipod", "aac", "audio/mp4"),
}


def video(
    kind: str = "mp4-h264",
    *,
    scenes: Sequence[tuple[int, int, int]] = COLOURS[:3],
    seconds: float = 3.0,
    fps: int = 10,
    size: tuple[int, int] = (96, 64),
    sound: bool = True,
    samples: np.ndarray | None = None,
    keyframes: int = 12,
    options: dict[str, str] | None = None,
) -> bytes:
    """A video whose picture is one colour after the other, each for the same time, with a tone where asked for."""
    container, codec, audio, _ = VIDEOS[kind]
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=options or {}) as file:
        pictures: Any = file.add_stream(codec, rate=fps)
        pictures.width, pictures.height, pictures.pix_fmt = *size, "yuv420p"
        pictures.codec_context.gop_size = keyframes
        tones: Any = file.add_stream(audio, rate=SAMPLES, layout="mono") if sound else None
        count = round(seconds * fps)
        for number in range(count):
            frame = av.VideoFrame.from_image(Image.new("RGB", size, scenes[number * len(scenes) // count]))
            file.mux(pictures.encode(frame))
        file.mux(pictures.encode())
        if tones is not None:
            write_sound(file, tones, tone(seconds) if samples is None else samples)
    return out.getvalue()


def sound(kind: str, samples: np.ndarray | None = None) -> bytes:
    """A sound file; by default with a second of a tone. ``samples`` are 16 bits, ``SAMPLES`` a second."""
    container, codec, _ = SOUNDS[kind]
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=SAMPLES, layout="mono")
        write_sound(file, stream, tone(1.0) if samples is None else samples)
    return out.getvalue()


def tone(seconds: float, hertz: float = 440.0) -> np.ndarray:
    at = np.arange(round(seconds * SAMPLES)) / SAMPLES
    return (np.sin(2 * np.pi * hertz * at) * 8_000).astype(np.int16)


def box(kind: bytes, content: bytes = b"") -> bytes:
    """One box of an ISO base media file."""
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def nested_boxes(depth: int) -> bytes:
    """A film whose tracks hold each other, ``depth`` deep."""
    content = b""
    for _ in range(depth):
        content = box(b"trak", content)
    return box(b"ftyp", b"isom\0\0\2\0isommp41") + box(b"moov", content)


def without_end(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def write_sound(file: Any, stream: Any, samples: np.ndarray) -> None:
    """Add samples to a stream of an open file; 16 bits, ``SAMPLES`` a second."""
    size = stream.codec_context.frame_size or 1_024
    wanted = stream.codec_context.format.name
    resampler = av.AudioResampler(format=wanted, layout="mono", rate=SAMPLES, frame_size=size)
    for start in range(0, len(samples), size):
        piece = samples[start : start + size]
        frame = av.AudioFrame.from_ndarray(piece[None], "s16", "mono")
        frame.sample_rate, frame.pts = SAMPLES, start
        for part in resampler.resample(frame):
            file.mux(stream.encode(part))
    for part in resampler.resample(None):
        file.mux(stream.encode(part))
    file.mux(stream.encode())


def element(name: int, content: bytes) -> bytes:
    """One EBML element, its size in eight bytes."""
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + (1 << 56 | len(content)).to_bytes(8, "big") + content


def encrypted_matroska(data: bytes, *, kind: int = 1) -> bytes:
    """A Matroska or WebM file whose first track says that it is encrypted (``kind`` 1) or compressed (0).

    Tracks are the first element that is made longer; positions that the index of the file names are wrong after that.
    """
    encoding = element(0x5033, bytes([kind]))
    encoding += element(0x5035, element(0x47E1, b"\x05")) if kind == 1 else element(0x5034, b"")
    added = element(0x6D80, element(0x6240, encoding))
    out = bytearray(data)
    tracks = data.rindex(b"\x16\x54\xae\x6b") + 4  # the index at the beginning names it too
    segment = data.index(b"\x18\x53\x80\x67") + 4
    size, at = _size(data, tracks)
    checksum = 6 if data[at] == 0xBF else 0
    at += checksum
    assert data[at] == 0xAE
    track_size, begin = _size(data, at + 1)
    out[begin + track_size : begin + track_size] = added
    # From the innermost outwards, each a size of eight bytes in the place of the old one.
    out[at + 1 : begin] = _eight(track_size + len(added))
    grown = len(added) + 8 - (begin - at - 1)
    out[tracks : at - checksum] = _eight(size + grown)
    grown += 8 - (at - checksum - tracks)
    whole, after = _size(data, segment)
    if whole != (1 << 7 * (after - segment)) - 1:
        out[segment:after] = _eight(whole + grown)
    return bytes(out)


def _eight(size: int) -> bytes:
    return (1 << 56 | size).to_bytes(8, "big")


def _size(data: bytes, at: int) -> tuple[int, int]:
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + length], "big") & ((1 << 7 * length) - 1)
    return value, at + length
