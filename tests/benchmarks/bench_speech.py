"""How fast speech is heard, and how many of its words are right. A sanity floor: the voice is a machine's.

python -m tests.benchmarks.bench_speech

Speech in three languages is made with espeak-ng (Debian package ``espeak-ng``); the bundled model knows one of them.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from postscope.indexing.media.decoding.sound import SoundLimits, decode_sound
from postscope.indexing.media.decoding.speech import Hearing, SpeechGates
from postscope.indexing.media.hearing import model_folder

LINES = {
    "en-us": (
        "The harbour is full of boats this morning and the tide is coming in.",
        "Please remember to bring your ticket and your passport to the station.",
        "The recipe needs two cups of flour, one egg and a little bit of salt.",
        "Scientists have discovered a new species of frog in the rain forest.",
        "Our train was delayed for three hours because of the heavy snow.",
        "The museum opens at nine and closes at five in the afternoon.",
    ),
    "de": (
        "Der Hafen ist heute Morgen voller Boote und die Flut kommt herein.",
        "Bitte denken Sie daran, Ihre Fahrkarte und Ihren Ausweis mitzubringen.",
        "Wissenschaftler haben im Regenwald eine neue Froschart entdeckt.",
    ),
    "es": (
        "El puerto está lleno de barcos esta mañana y la marea está subiendo.",
        "Por favor recuerde traer su billete y su pasaporte a la estación.",
        "Los científicos han descubierto una nueva especie de rana en la selva.",
    ),
}


def main() -> None:
    if shutil.which("espeak-ng") is None:
        print("skipped: espeak-ng is not installed")
        return
    hearing = Hearing(model_folder("bundled", Path()), threads=2, gates=SpeechGates())
    for voice, lines in LINES.items():
        samples = _said(voice, " ".join(lines))
        hearing.hear(io.BytesIO(samples), seconds=60.0)
        started = time.perf_counter()
        heard = hearing.hear(io.BytesIO(samples), seconds=600.0)
        factor = (time.perf_counter() - started) / (len(samples) / 32_000)
        wrong = _errors(_words(" ".join(lines)), _words(" ".join(spoken.text for spoken in heard.spoken)))
        rate = wrong / len(_words(" ".join(lines)))
        said = "" if heard.spoken else f", nothing kept ({heard.outcome})"
        print(
            f"{voice}: {len(samples) / 32_000:.0f} s, real-time factor {factor:.3f}, word error rate {rate:.2f}{said}"
        )


def _said(voice: str, text: str) -> bytes:
    samples = bytearray()
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", file.name, text], check=True)
        with Path(file.name).open("rb") as wave:
            decode_sound(wave.fileno(), SoundLimits(600.0, 60.0), samples.extend)
    return bytes(samples)


def _words(text: str) -> list[str]:
    spelled = text.lower().replace("harbour", "harbor").replace("rainforest", "rain forest")
    return "".join(sign if sign.isalnum() else " " for sign in spelled).split()


def _errors(said: list[str], heard: list[str]) -> int:
    """Words that were put in, left out or changed (Levenshtein distance)."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        before, row = row, [i]
        for j, other in enumerate(heard, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (word != other)))
    return row[-1]


if __name__ == "__main__":
    main()
