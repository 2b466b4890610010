"""Speech is heard with its times, and nothing is made up where nobody speaks or the language is not known."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from postscope.indexing.media.decoding.sound import RATE, SoundLimits, decode_sound
from postscope.indexing.media.decoding.speech import STRETCH, Hearing, SpeechGates
from postscope.indexing.media.hearing import model_folder

SPEECH = Path(__file__).parents[1] / "speech"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hearing() -> Hearing:
    return Hearing(model_folder("bundled", Path()), threads=2, gates=SpeechGates())


def samples_of(name: str) -> bytes:
    samples = bytearray()
    with (SPEECH / f"{name}.opus").open("rb") as file:
        decode_sound(file.fileno(), SoundLimits(60.0, 20.0), samples.extend)
    return bytes(samples)


def packed(samples: np.ndarray) -> bytes:
    return (np.clip(samples, -1, 1) * 32_767).astype(np.int16).tobytes()


def test_english_is_heard_with_the_times_of_its_words(hearing: Hearing) -> None:
    heard = hearing.hear(io.BytesIO(samples_of("english")), seconds=60.0)
    assert heard.outcome == "speech"
    words = [word for spoken in heard.spoken for word in spoken.words]
    text = " ".join(word.text.strip(".,").lower() for word in words)
    assert "boats this morning and the tide is coming in" in text
    times = [word.start for word in words]
    assert times == sorted(times)
    assert 0 <= times[0] < words[-1].end <= 5
    assert {spoken.language for spoken in heard.spoken} == {"en"}
    assert all(0 < spoken.confidence <= 1 for spoken in heard.spoken)


def test_speech_that_is_hard_to_hear_is_not_given_up_at_its_first_wording(hearing: Hearing) -> None:
    heard = hearing.hear(io.BytesIO(samples_of("unsure")), seconds=60.0)
    assert heard.outcome == "speech"
    assert "engine" in heard.spoken[0].text


def test_another_language_is_not_made_into_english(hearing: Hearing) -> None:
    heard = hearing.hear(io.BytesIO(samples_of("german")), seconds=60.0)
    assert (heard.outcome, heard.spoken) == ("no_model", ())
    assert heard.voice_seconds > 2


def not_speech() -> dict[str, np.ndarray]:
    rng, at = np.random.default_rng(7), np.arange(RATE * 12) / RATE
    notes = np.repeat(rng.choice([262.0, 294, 330, 349, 392, 440], 24), len(at) // 24)
    return {
        "nothing": np.zeros(0),
        "silence": np.zeros(len(at)),
        "hiss": rng.normal(size=len(at)) * 0.1,
        "rumble": np.cumsum(rng.normal(size=len(at))) * 0.002,
        "tone": np.sin(2 * np.pi * 440 * at) * 0.3,
        "chord": sum(np.sin(2 * np.pi * hertz * at) for hertz in (220, 277, 330)) * 0.1,
        "melody": np.sin(2 * np.pi * np.cumsum(notes) / RATE) * 0.3,
        "drum": (np.sin(2 * np.pi * 2 * at) > 0.9) * rng.normal(size=len(at)) * 0.3,
        "clicks": (np.arange(len(at)) % 4_000 == 0) * 0.9,
    }


@pytest.mark.parametrize("name", not_speech())
def test_nothing_is_heard_where_nobody_speaks(name: str, hearing: Hearing) -> None:
    heard = hearing.hear(io.BytesIO(packed(not_speech()[name])), seconds=60.0)
    assert (heard.outcome, heard.spoken) == ("no_speech", ())


def test_speech_across_the_end_of_a_stretch_is_heard_whole_and_at_its_time(hearing: Hearing) -> None:
    speech = samples_of("english")
    before = bytes((STRETCH - 2) * RATE * 2)
    heard = hearing.hear(io.BytesIO(before + speech + bytes(3 * RATE * 2)), seconds=120.0)
    text = " ".join(spoken.text for spoken in heard.spoken)
    assert "tide is coming in" in text
    assert heard.spoken[0].start == pytest.approx(STRETCH - 2, abs=0.6)
    assert heard.spoken[-1].end > STRETCH


def test_the_time_is_limited(hearing: Hearing) -> None:
    assert hearing.hear(io.BytesIO(samples_of("english")), seconds=-1.0).outcome == "too_slow"
