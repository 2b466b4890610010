"""The jobs of the processes that decode: what each takes and gives is plain JSON and bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from postscope.indexing.media.decoding.container import check_codec, nothing_in, opened
from postscope.indexing.media.decoding.sound import RATE, SoundLimits, decode_sound
from postscope.indexing.media.decoding.video import FrameLimits, animated_frames, video_frames
from postscope.indexing.media.errors import MediaError
from postscope.indexing.sound_prints import SoundListener, SoundPrint

Emit = Callable[[dict[str, Any], bytes], None]
Job = Callable[[int, dict[str, Any], Emit], dict[str, Any]]


def about(file: int, _params: dict[str, Any], _emit: Emit) -> dict[str, Any]:
    """What is in a container: ``video`` and ``audio``, each null or its problem (code and reason, null for none)."""
    with opened(file) as source:
        streams = source.container.streams
        # A cover picture in a song is a video stream of one picture.
        moving = [stream for stream in streams.video if not _is_cover(stream)]
        if not moving and not streams.audio:
            raise nothing_in(source, "picture and no sound")
        return {
            "duration": source.duration,
            "video": _problem(moving[0]) if moving else None,
            "audio": _problem(streams.audio[0]) if streams.audio else None,
        }


def frames(file: int, params: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Frames of a video or animation, one message each, with its JPEG."""
    animated = params.pop("animated")
    found = (animated_frames if animated else video_frames)(file, FrameLimits(**params))
    for kept in found.kept:
        emit({"seconds": kept.seconds}, kept.item)
    return {"problem": found.problem, "duration": found.duration, "width": found.width, "height": found.height}


def sound(file: int, params: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """The samples of the first sound track, piece by piece."""
    found = decode_sound(file, SoundLimits(**params), lambda piece: emit({}, piece))
    return {"problem": found.problem, "duration": found.duration}


def sound_print(file: int, params: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """The acoustic fingerprint of the first sound track, packed; or the ``lack`` for which there is none."""
    track = about(file, {}, emit)["audio"]
    if track is None:
        return {"lack": "no_sound"}
    listener = SoundListener(RATE)
    decode_sound(file, SoundLimits(**params), listener.hear)
    found = listener.result()
    if not isinstance(found, SoundPrint):
        return {"lack": found}
    emit({}, found.pack())
    return {"lack": None}


def open_jobs() -> dict[str, Job]:
    """By their names. Libraries are imported now, not at the first file."""
    import av  # noqa: F401

    return {"about": about, "frames": frames, "sound": sound, "sound_print": sound_print}


def _is_cover(stream: Any) -> bool:
    return bool(int(stream.disposition) & 0x400)


def _problem(stream: Any) -> dict[str, Any]:
    try:
        check_codec(stream)
    except MediaError as error:
        return {"code": error.code, "reason": error.reason}
    return {"code": None, "reason": None}
