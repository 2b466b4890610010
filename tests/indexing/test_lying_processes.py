"""A process of the sandbox that a file has taken over costs that file, and nobody else."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from postscope.indexing.media.decoding.speech import SpeechGates
from postscope.indexing.media.hearing import Hearing
from postscope.indexing.media.sandbox.pool import Sandbox
from postscope.indexing.media.stills import Stills
from postscope.indexing.media.understand import Limits, Understander, Understood
from tests import av_files, lying_media

FILM = av_files.video(seconds=1.0)


@pytest.fixture
def understander(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Understander]:
    lying_media.use(monkeypatch)
    hearing = Hearing(Sandbox("speech", size=1, memory_bytes=1024**3), tmp_path, 1, SpeechGates())
    stills = Stills(Sandbox("pictures", size=1, memory_bytes=1024**3), max_pixels=10**6, seconds=10.0)
    limits = Limits(60.0, 10**6, 8, 1.0, 64, 1)
    made = Understander(
        Sandbox(size=1, memory_bytes=1024**3), hearing=hearing, reader=None, stills=stills, limits=limits
    )
    yield made
    made.close()
    stills.close()


def understood(understander: Understander, data: bytes) -> Understood:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return understander.understand(file, "video", "video/mp4", seconds=40.0)


def parts(found: Understood) -> dict[str, tuple[str, str | None]]:
    return {report.part: (report.state, report.code) for report in found.reports}


def test_what_makes_no_sense_is_no_medium(understander: Understander) -> None:
    found = parts(understood(understander, FILM + lying_media.ABOUT))
    assert found == {"frames": ("failed", "corrupt"), "speech": ("failed", "corrupt")}


@pytest.mark.parametrize("lie", [lying_media.FRAMES, lying_media.FLOOD])
def test_frames_without_sense_or_end_are_refused(lie: bytes, understander: Understander) -> None:
    assert parts(understood(understander, FILM + lie))["frames"] == ("failed", "corrupt")
    assert parts(understood(understander, FILM))["frames"] == ("done", None), "the next one has a process of its own"


def test_words_without_sense_are_refused(understander: Understander) -> None:
    found = understood(understander, FILM)
    assert (parts(found)["speech"], found.spoken) == (("failed", "corrupt"), [])
