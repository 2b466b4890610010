"""Video and audio containers, opened by the one demultiplexer that their first bytes call for."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

from postscope.indexing.media.containers import (
    boxes_cut_short,
    encrypted_boxes,
    mp3_cut_short,
    ogg_cut_short,
    wave_cut_short,
)
from postscope.indexing.media.errors import (
    CorruptMedia,
    EncryptedMedia,
    MediaError,
    TruncatedMedia,
    UnsupportedCodec,
    UnsupportedMedia,
)
from postscope.indexing.media.matroska import encrypted_tracks, segment_cut_short
from postscope.indexing.media.sniff import AUDIO_TYPES, HEAD, VIDEO_TYPES, sniff

if TYPE_CHECKING:
    import av.container

# Nothing is probed: a playlist or a script of another demultiplexer, hidden in a file, is never followed.
_DEMUXERS: Final = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "audio/mp4": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "application/ogg": "ogg",
}
_OPTIONS: Final = {"protocol_whitelist": "", "enable_drefs": "0", "use_absolute_path": "0"}
_CUT_SHORT: Final[dict[str, Callable[[mmap.mmap], bool]]] = {
    "mov": boxes_cut_short,
    "matroska": segment_cut_short,
    "wav": wave_cut_short,
    "ogg": ogg_cut_short,
    "mp3": mp3_cut_short,
}
"""By the demultiplexer; AAC has no container, and FLAC is found out when its last frame is decoded."""
_BROKEN_PACKETS: Final = 50
"""So many in a row, and the rest is taken for broken too."""


@dataclass(slots=True)
class Opened:
    """An open container.

    Attributes:
        container: of PyAV.
        mime: the type of its content.
        cut_short: whether the end that a whole file has is missing.
    """

    container: av.container.InputContainer
    mime: str
    cut_short: bool

    @property
    def duration(self) -> float | None:
        """In seconds, as announced."""
        ticks = self.container.duration
        return ticks / 1_000_000 if ticks and ticks > 0 else None


@contextlib.contextmanager
def opened(file: int) -> Iterator[Opened]:
    """Open what is in this file descriptor.

    Raises:
        MediaError: it is no container that is understood, or a broken one.
    """
    import av

    stream = os.fdopen(os.dup(file), "rb")
    with contextlib.closing(stream):
        stream.seek(0)
        mime = sniff(stream.read(HEAD))
        if mime not in VIDEO_TYPES | AUDIO_TYPES:
            raise UnsupportedMedia(f"the content is {mime or 'of no type that is known'}, no video or sound", mime=mime)
        cut_short = _checked(stream, _DEMUXERS[mime])
        stream.seek(0)
        try:
            with av.open(
                stream, format=_DEMUXERS[mime], options=_OPTIONS, metadata_errors="ignore", mode="r"
            ) as container:
                yield Opened(container, mime, cut_short)
        except (MediaError, MemoryError):
            raise
        except av.error.MemoryError as error:
            raise MemoryError from error
        except av.error.FFmpegError as error:
            if cut_short:
                raise TruncatedMedia("the file ends too early: what says how to read it is missing") from error
            # What the library says of it ("Operation not permitted", a number) helps nobody.
            raise CorruptMedia(f"the {mime} file is broken: it cannot be taken apart") from error


def check_codec(stream: Any) -> None:
    """Raise ``UnsupportedCodec`` where there is no decoder for a stream."""
    if stream.codec_context is None:
        raise UnsupportedCodec(f"its {stream.type} is in a codec that is not understood here")


def decoded(opened_: Opened, stream: Any, problems: list[str]) -> Iterator[Any]:
    """Frames of one stream; packets that cannot be decoded are passed over.

    Args:
        opened_: the container.
        stream: one of it.
        problems: what was wrong on the way is added to it: ``truncated`` or ``corrupt``.
    """
    import av

    broken = 0
    packets = opened_.container.demux(stream)
    while broken < _BROKEN_PACKETS:
        try:
            packet = next(packets)
            frames = packet.decode()
        except StopIteration:
            break
        except (av.error.EOFError, av.error.InvalidDataError, av.error.BlockingIOError, ValueError):
            broken += 1
            problems[:] = ["corrupt"]
            continue
        if frames:
            broken = 0
        yield from frames
    if opened_.cut_short:
        problems[:] = ["truncated"]


def first(source: Opened, kind: Literal["video", "audio"]) -> Any:
    """The first stream of a kind.

    Raises:
        TruncatedMedia: there is none, and the end of the file is missing.
        CorruptMedia: there is none.
        UnsupportedCodec: there is no decoder for it.
    """
    streams = getattr(source.container.streams, kind)
    if not streams:
        raise nothing_in(source, "picture" if kind == "video" else "sound")
    check_codec(streams[0])
    return streams[0]


def nothing_in(source: Opened, what: str) -> MediaError:
    """Why there is no such thing in a container."""
    if source.cut_short:
        return TruncatedMedia("the file ends too early: what says how to read it is missing")
    return CorruptMedia(f"there is no {what} in it")


def _checked(stream: BinaryIO, demuxer: str) -> bool:
    """Whether the end of the file is missing, as far as its container says; raises where it says that it is encrypted.

    Only ISO base media and Matroska have a standard way to say that: what is encrypted in the others is corrupt.
    """
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if (demuxer == "mov" and encrypted_boxes(data)) or (demuxer == "matroska" and encrypted_tracks(data)):
            raise EncryptedMedia("its tracks are encrypted")
        ends = _CUT_SHORT.get(demuxer)
        return ends is not None and ends(data)
