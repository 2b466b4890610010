"""Speech to text with Whisper (Radford et al. 2022, arXiv:2212.04356), in stretches, so that memory does not grow.

Whisper writes fluent text for anything that it is given. So it is given only what a detector of voices (Silero VAD)
takes for speech, and what it writes counts only where its own signals agree: the mean log-probability of its tokens,
the probability that nobody speaks, and how well the text can be compressed (a loop compresses well).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

import numpy as np
import numpy.typing as npt

from postscope.indexing.media.decoding.sound import RATE
from postscope.indexing.media.parts import Spoken, Word

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

Samples = npt.NDArray[np.float32]

STRETCH: Final = 120
"""Seconds that are looked at together; they are cut where nobody speaks."""

BEAM: Final = 5
"""Texts that are followed side by side. One alone is often unlikelier than another that begins worse, so that the gates
take good speech for doubtful; the time is that of the network that listens, which is the same."""

_COMPRESSION: Final = 2.4
_A_VOICE: Final = 1.0
"""Seconds of voice that somebody who speaks has at least."""


@dataclass(frozen=True, slots=True)
class SpeechGates:
    """What makes a text believable.

    Attributes:
        log_probability: mean of the tokens' log-probabilities, at least.
        no_speech: probability that nobody speaks, at most.
        language_probability: of the detected language, at least; a model of one language detects none.
    """

    log_probability: float = -0.8
    no_speech: float = 0.4
    language_probability: float = 0.5


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard in a sound.

    Attributes:
        outcome: ``speech``; ``no_speech``: nobody speaks; ``no_model``: somebody speaks, and the model makes nothing
            of it, mostly since it does not know the language; ``too_slow``: the time was over before the end.
        voice_seconds: in which somebody speaks.
    """

    spoken: tuple[Spoken, ...]
    outcome: Literal["speech", "no_speech", "no_model", "too_slow"]
    voice_seconds: float


@dataclass(slots=True)
class _Tally:
    """What the model made of all that was taken for speech, in seconds and weighted log-probabilities."""

    voice: float = 0.0
    sure: float = 0.0
    doubtful: float = 0.0


class Hearing:
    """A loaded model.

    Args:
        folder: of a Whisper model for CTranslate2.
        threads: that compute.
    """

    def __init__(self, folder: Path, *, threads: int, gates: SpeechGates) -> None:
        from faster_whisper import WhisperModel

        self._model: WhisperModel = WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
        )
        self._gates = gates

    def hear(self, sound: BinaryIO, *, seconds: float) -> Heard:
        """Transcribe samples as ``decode_sound`` gives them, from where the file stands.

        Args:
            sound: 16,000 samples a second, 16 bits, one channel.
            seconds: for all of it; what was heard until then counts.
        """
        ends, tally, spoken = time.monotonic() + seconds, _Tally(), list[Spoken]()
        late = False
        for offset, samples, voices in _stretches(sound):
            if late := time.monotonic() > ends:
                break
            tally.voice += sum(voice["end"] - voice["start"] for voice in voices) / RATE
            spoken += self._transcribe(offset, samples, voices, tally)
        if tally.doubtful > tally.sure:
            # More of it is doubted than believed: what the model knows is not what is spoken here.
            return Heard((), "no_model", tally.voice)
        if late:
            return Heard(tuple(spoken), "too_slow", tally.voice)
        if spoken:
            return Heard(tuple(spoken), "speech", tally.voice)
        return Heard((), "no_model" if tally.voice >= _A_VOICE else "no_speech", tally.voice)

    def _transcribe(
        self, offset: float, samples: Samples, voices: list[dict[str, int]], tally: _Tally
    ) -> Iterator[Spoken]:
        clips = [edge for voice in voices for edge in (voice["start"] / RATE, voice["end"] / RATE)]
        segments, info = self._model.transcribe(
            samples,
            beam_size=BEAM,
            # One try: higher temperatures are where text is made up.
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            clip_timestamps=clips,
            no_speech_threshold=None,
            log_prob_threshold=None,
            compression_ratio_threshold=None,
        )
        known = not self._model.model.is_multilingual or (info.language_probability >= self._gates.language_probability)
        for segment in segments:
            length = segment.end - segment.start
            if segment.no_speech_prob >= self._gates.no_speech or not segment.text.strip():
                continue
            if not known or segment.avg_logprob <= self._gates.log_probability:
                tally.doubtful += length
                continue
            if segment.compression_ratio >= _COMPRESSION:
                continue
            tally.sure += length
            yield _spoken(segment, offset, info.language)


def _spoken(segment: Any, offset: float, language: str) -> Spoken:
    words = tuple(
        Word(round(word.start + offset, 3), round(word.end + offset, 3), word.word.strip(), float(word.probability))
        for word in segment.words or ()
    )
    return Spoken(
        start=words[0].start if words else round(segment.start + offset, 3),
        end=words[-1].end if words else round(segment.end + offset, 3),
        text=segment.text.strip(),
        words=words,
        language=language,
        confidence=float(np.exp(segment.avg_logprob)),
    )


def _stretches(sound: BinaryIO) -> Iterator[tuple[float, Samples, list[dict[str, int]]]]:
    """Second of its beginning, samples, and where in them somebody speaks; stretches without a voice are left out.

    Somebody who speaks across the end of a stretch is heard with the next one, unless he fills the whole of it.
    """
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(min_silence_duration_ms=500, speech_pad_ms=200, max_speech_duration_s=28)
    at, rest = 0, np.zeros(0, np.float32)
    while True:
        fresh = np.frombuffer(sound.read(STRETCH * RATE * 2), np.int16).astype(np.float32) / 32768
        samples, last = np.concatenate([rest, fresh]), len(fresh) < STRETCH * RATE
        voices = get_speech_timestamps(samples, options) if len(samples) else []
        cut = len(samples)
        if not last and voices and voices[-1]["end"] > cut - RATE and voices[-1]["start"] > 0:
            cut = voices.pop()["start"]
        if voices:
            yield at / RATE, samples[:cut], voices
        if last:
            return
        at, rest = at + cut, samples[cut:]
