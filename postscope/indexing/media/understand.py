"""Takes a medium apart: frames of a video, words spoken in a sound, words written in pictures.

Everything that touches the file happens in the sandbox. A part that cannot be had says why, and hides no other.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from postscope.indexing.media.errors import CorruptMedia, MediaError
from postscope.indexing.media.frame_words import read_frames
from postscope.indexing.media.hearing import Hearing
from postscope.indexing.media.parts import (
    Frame,
    MediaKind,
    PartName,
    PartReport,
    PictureReader,
    Spoken,
    Written,
)
from postscope.indexing.media.said import about_of, ending_of, time_of
from postscope.indexing.media.sandbox.pool import Sandbox
from postscope.indexing.media.sniff import IMAGE_TYPES
from postscope.indexing.media.stills import Stills
from postscope.indexing.sound_prints import REASONS, SoundPrint, unpack

PROBE_SECONDS: Final = 20.0
READ_SIDE: Final = 640
"""Short side, in pixels, that a picture keeps for the reading of words."""

BYTES_A_SECOND: Final = 40_000
"""Of sound, with room to spare: 16,000 samples of two bytes, and what the pieces are sent in."""

_GRACE: Final = 5.0
"""Seconds that the sandbox waits beyond what a job has for itself, so that it can give what it has."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a medium may cost.

    Attributes:
        max_duration: seconds that it may play.
        max_pixels: of a picture or frame.
        max_frames: that are kept of a video.
        frame_every: seconds between its regular frames, at most, as long as that is not more than ``max_frames``.
        frame_side: short side of a kept frame, in pixels.
        threads: that decode.
    """

    max_duration: float
    max_pixels: int
    max_frames: int
    frame_every: float
    frame_side: int
    threads: int


@dataclass(slots=True)
class Understood:
    """What a medium turned out to be.

    Attributes:
        kind: image, video or audio.
        duration: in seconds; None of a still image.
        width: of an image or video as shown, in pixels.
        height: as ``width``.
        frames: of a video, in the order of time: second and JPEG.
        spoken: in its sound.
        written: in its pictures.
        reports: of each part that was looked at.
    """

    kind: MediaKind
    duration: float | None = None
    width: int | None = None
    height: int | None = None
    frames: list[tuple[float, bytes]] = field(default_factory=list)
    spoken: list[Spoken] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    reports: list[PartReport] = field(default_factory=list)

    @property
    def failure(self) -> PartReport | None:
        """Why nothing of it was understood; None where something was, or where there was nothing to find."""
        failed = [report for report in self.reports if report.state == "failed"]
        # A language that no model knows is no fault of the file.
        broken = [report for report in failed if report.code != "no_model_for_language"]
        useful = any(report.state in ("done", "partial") for report in self.reports)
        return broken[0] if broken and not useful and self.kind != "image" else None


@dataclass(frozen=True, slots=True)
class NoPrint:
    """Why a sound cannot be told by how it sounds: a code for machines, and a sentence for people."""

    code: str
    reason: str


class Understander:
    """Takes media apart. Safe to use from several threads.

    Args:
        sandbox: processes of the kind ``media``.
        hearing: None where speech is left alone.
        reader: None where words in pictures are left alone.
        stills: open pictures.
        limits: what a medium may cost.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        hearing: Hearing | None,
        reader: PictureReader | None,
        stills: Stills,
        limits: Limits,
    ) -> None:
        self._sandbox = sandbox
        self._stills = stills
        self._hearing = hearing
        self._reader = reader
        self._limits = limits

    def understand(self, file: BinaryIO, kind: MediaKind, mime: str, *, seconds: float) -> Understood:
        """Take one medium apart.

        Args:
            file: an open file of the system.
            kind: as its header says.
            mime: as its first bytes say.
            seconds: for all of it.

        Raises:
            SandboxDown: no process can be started here.
        """
        ends = time.monotonic() + seconds
        if kind == "image":
            return self._image(file)
        if mime in IMAGE_TYPES:
            found = Understood("video")
            self._frames(found, file, seconds, animated=True)
            self._words_in_frames(found, ends)
            return found
        return self._container(file, kind, ends)

    def listen(self, file: BinaryIO, *, seconds: float) -> SoundPrint | NoPrint:
        """The acoustic fingerprint of a sound, or of a video's sound track.

        Args:
            file: an open file of the system.
            seconds: for all of it; what was decoded until then counts.

        Raises:
            SandboxDown: no process can be started here.
        """
        params = {"max_duration": self._limits.max_duration, "seconds": max(seconds - _GRACE, 1.0)}
        try:
            *packed, (done, _) = self._sandbox.run("sound_print", file.fileno(), params, seconds=seconds)
            if packed:
                return unpack(packed[0][1])
        except MediaError as error:
            return NoPrint(error.code, error.reason)
        except ValueError as error:  # the other process may say anything
            return NoPrint(CorruptMedia.code, str(error))
        for code, reason in REASONS.items():
            if code == done.get("lack"):
                return NoPrint(code, reason)
        return NoPrint("no_sound", "it has no sound")

    def close(self) -> None:
        """End all processes; whoever waits for one hears ``SandboxDown``."""
        self._sandbox.close()
        if self._hearing is not None:
            self._hearing.close()
        if self._reader is not None:
            self._reader.close()

    def _image(self, file: BinaryIO) -> Understood:
        found = Understood("image")
        if self._reader is None:
            return found
        try:
            file.seek(0)
            (written,) = self._reader.read([self._stills.open(file.read(), target=READ_SIDE)])
        except MediaError as error:
            found.reports.append(PartReport("words", "failed", error.code, error.reason))
            return found
        self._note_words(found, written, None)
        return found

    def _container(self, file: BinaryIO, kind: MediaKind, ends: float) -> Understood:
        found = Understood(kind)
        try:
            *_, (said, _) = self._sandbox.run(
                "about", file.fileno(), {}, seconds=min(PROBE_SECONDS, ends - time.monotonic())
            )
            about = about_of(said)
        except MediaError as error:
            parts: Sequence[PartName] = ("frames", "speech") if kind == "video" else ("speech",)
            found.reports += [PartReport(part, "failed", error.code, error.reason) for part in parts]
            return found
        found.kind, found.duration = ("video" if about["video"] else "audio"), about["duration"]
        if about["video"] and not _refused(found, "frames", about["video"]):
            # Half of the time is the sound's, where there is one to hear.
            share = 0.5 if about["audio"] and self._hearing is not None else 0.9
            self._frames(found, file, (ends - time.monotonic()) * share, animated=False)
            self._words_in_frames(found, time.monotonic() + (ends - time.monotonic()) * share)
        if about["audio"] is None:
            found.reports.append(PartReport("speech", "empty", "no_sound", "it has no sound"))
        elif self._hearing is not None and not _refused(found, "speech", about["audio"]):
            self._speech(found, file, self._hearing, ends)
        return found

    def _frames(self, found: Understood, file: BinaryIO, seconds: float, *, animated: bool) -> None:
        limits = self._limits
        params = {
            "most": limits.max_frames,
            "every": limits.frame_every,
            "max_pixels": limits.max_pixels,
            "max_duration": limits.max_duration,
            "short_side": limits.frame_side,
            "seconds": max(seconds - _GRACE, 1.0),
            "threads": limits.threads,
            "animated": animated,
        }
        try:
            *frames, (done, _) = self._sandbox.run("frames", file.fileno(), params, seconds=seconds)
            kept = [(time_of(item.get("seconds")), jpeg) for item, jpeg in frames]
            if len(kept) > limits.max_frames:
                raise CorruptMedia("more frames came out of it than were asked for")
            duration, width, height = (time_of(done.get(name)) for name in ("duration", "width", "height"))
        except MediaError as error:
            found.reports.append(PartReport("frames", "failed", error.code, error.reason))
            return
        found.frames, found.duration, found.width, found.height = kept, duration, int(width), int(height)
        found.reports.append(ending_of("frames", done.get("problem")))

    def _words_in_frames(self, found: Understood, ends: float) -> None:
        if self._reader is None or not found.frames:
            return
        try:
            frames = [
                Frame(number, seconds, self._stills.open(jpeg, target=READ_SIDE))
                for number, (seconds, jpeg) in enumerate(found.frames)
            ]
        except MediaError as error:
            found.reports.append(PartReport("words", "failed", error.code, error.reason))
            return
        read = read_frames(self._reader, frames, ends=ends)
        if read.problem is not None and not read.read:
            found.reports.append(PartReport("words", "failed", read.problem.code, read.problem.reason))
            return
        self._note_words(found, read.written, read.problem)

    def _note_words(self, found: Understood, written: list[Written], problem: MediaError | None) -> None:
        found.written = written
        if problem is not None:
            found.reports.append(PartReport("words", "partial", problem.code, problem.reason))
            return
        nothing = PartReport("words", "empty", "no_words", "nothing is written in it")
        found.reports.append(PartReport("words", "done") if written else nothing)

    def _speech(self, found: Understood, file: BinaryIO, hearing: Hearing, ends: float) -> None:
        left = max(ends - time.monotonic(), 2.0)
        params = {"max_duration": self._limits.max_duration, "seconds": max(left / 2 - _GRACE, 1.0)}
        with tempfile.TemporaryFile(prefix="sound-") as samples:
            done: dict[str, Any] = {}
            try:
                most = int((self._limits.max_duration + 60) * BYTES_A_SECOND)
                for item, piece in self._sandbox.run("sound", file.fileno(), params, seconds=left / 2, most_bytes=most):
                    samples.write(piece)
                    done = item
                duration = time_of(done.get("duration"))
            except MediaError as error:
                found.reports.append(PartReport("speech", "failed", error.code, error.reason))
                return
            samples.flush()
            found.duration = found.duration or duration
            found.spoken, report = hearing.hear(samples.fileno(), seconds=max(ends - time.monotonic(), 2.0))
        if report.state in ("done", "empty") and done.get("problem"):
            report = ending_of("speech", done["problem"])
        found.reports.append(report)


def _refused(found: Understood, part: PartName, stream: dict[str, Any]) -> bool:
    """Whether a stream cannot be decoded here; noted if so."""
    if stream["code"] is None:
        return False
    found.reports.append(PartReport(part, "failed", str(stream["code"]), str(stream["reason"])))
    return True
