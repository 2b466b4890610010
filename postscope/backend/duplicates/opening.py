"""Takes videos and sounds apart that are only asked about: a little of each, while somebody waits for the answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from postscope.indexing.media.errors import TooSlow
from postscope.indexing.media.parts import MediaKind
from postscope.indexing.media.understand import NoPrint, Understander, Understood
from postscope.indexing.sound_prints import SoundPrint

_LEAST_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Opened:
    """What a medium is compared by.

    Attributes:
        shown: its frames, and how long it plays.
        sound: of it, or why there is none.
    """

    shown: Understood
    sound: SoundPrint | NoPrint

    @property
    def problem(self) -> NoPrint | None:
        """Why it cannot be compared at all; None where there are frames or a sound."""
        if self.shown.frames or not isinstance(self.sound, NoPrint):
            return None
        failed = next((part for part in self.shown.reports if part.state == "failed"), None)
        return NoPrint(failed.code or "failed", failed.reason or "it failed") if failed else self.sound

    @property
    def unseen(self) -> NoPrint | None:
        """Why nothing of a video can be compared but its sound; None of a sound, which shows nothing anyhow."""
        if self.shown.frames or self.shown.kind != "video":
            return None
        part = next((part for part in self.shown.reports if part.part == "frames"), None)
        code, reason = (part.code, part.reason) if part is not None else (None, None)
        return NoPrint(code or "no_frames", reason or "the video has no frames to compare")


class MediaOpener:
    """One medium at a time, so that questions take no more than one process from the work. Safe between threads.

    Args:
        make: what takes media apart; called when it is first needed.
        seconds: for one medium, waiting for others included.
    """

    def __init__(self, make: Callable[[], Understander], *, seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._turn = threading.Lock()
        self._understander: Understander | None = None

    def open(self, file: BinaryIO, kind: MediaKind, mime: str) -> Opened:
        """Frames and sound of a video, animation or sound, without words.

        Args:
            file: an open file of the system.
            kind: as its header says.
            mime: as its first bytes say.

        Raises:
            TooSlow: others took all of the time.
            SandboxDown: no process can be started here.
        """
        ends = time.monotonic() + self._seconds
        if not self._turn.acquire(timeout=self._seconds):
            raise TooSlow(f"others were being checked for all of the {self._seconds:.0f} seconds: try again later")
        try:
            self._understander = self._understander or self._make()
            left = max(ends - time.monotonic(), _LEAST_SECONDS)
            shown = self._understander.understand(file, kind, mime, seconds=left * 0.7)
            sound = self._understander.listen(file, seconds=max(ends - time.monotonic(), _LEAST_SECONDS))
        finally:
            self._turn.release()
        return Opened(shown, sound)

    def close(self) -> None:
        """End the process, where there is one."""
        if self._understander is not None:
            self._understander.close()
