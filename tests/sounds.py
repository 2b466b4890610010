"""Melodies to test with: notes that decay, drums and a second voice, the same for the same seed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE = 16_000
Sound = npt.NDArray[np.float64]


def melody(seed: int, seconds: float = 12.0) -> Sound:
    """Between -1 and 1, ``RATE`` samples a second."""
    rng, notes, length = np.random.default_rng(seed), [], 0.0
    while length < seconds:
        beat = rng.uniform(0.15, 0.6)
        at = np.arange(int(beat * RATE)) / RATE
        high, low = (base * 2 ** (rng.integers(0, span) / 12) for base, span in ((220, 36), (110, 24)))
        note = sum((np.sin(2 * np.pi * high * k * at) / k for k in range(1, 6)), np.zeros(len(at)))
        note = (note + 0.3 * np.sign(np.sin(2 * np.pi * low * at))) * np.exp(-3 * at)
        notes.append(note + rng.normal(0, 0.05, len(at)) * np.exp(-20 * at))
        length += beat
    whole = np.concatenate(notes)[: round(seconds * RATE)]
    return np.asarray(whole / np.abs(whole).max() / 2)


def faster(sound: Sound, speed: float) -> Sound:
    """Played at another speed, and so at another pitch."""
    return np.interp(np.arange(int(len(sound) / speed)) * speed, np.arange(len(sound)), sound)


def cut(sound: Sound, start: float, end: float) -> Sound:
    """From one second to another."""
    return sound[round(start * RATE) : round(end * RATE)]


def samples(sound: Sound, rate: int = RATE) -> npt.NDArray[np.int16]:
    """16 bits, ``rate`` samples a second, a whole multiple of ``RATE``."""
    from scipy.signal import resample_poly

    return np.asarray(np.clip(resample_poly(sound, rate // RATE, 1), -1, 1) * 32_767, np.int16)
