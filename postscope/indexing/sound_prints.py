"""A sound to bits that stay the same when it is encoded anew, made louder, filtered, trimmed or played a little faster.

Eight times a second, 48 bits say between which neighbouring semitones the energy is rising and between which it falls
(the sign of its difference over time and frequency: Haitsma and Kalker 2002). Bands are a semitone apart and wider than
one, so that a sound that is played faster, and so higher, has the same bits some places further up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

FRAMES_A_SECOND: Final = 8
BITS: Final = 48
BYTES: Final = BITS // 8
LEAST_SECONDS: Final = 3.0
"""Of sound that changes; in less there is too little to tell it by."""
KEPT_SECONDS: Final = 3_600
"""A longer sound is told by its first hour."""

_WINDOW: Final = 8_192
_LOWEST: Final = 200.0
_GAP: Final = 2
_LAG: Final = 2
_BANDS: Final = BITS + _GAP
_WIDTH: Final = 1.0
"""Standard deviation of a band, in semitones."""
_SILENT: Final = 1e-4
"""Root mean square, of a full scale of 1, below which a window is silent: -80 dB."""
_STEADY: Final = 0.12
"""Natural units of log energy by which neighbouring bands must change, on average, for the bits to mean something."""
_FLOOR: Final = 1e-3
"""Of the mean energy of a window's bands: what is fainter is noise of the encoder."""

Bits = npt.NDArray[np.bool_]
Samples = npt.NDArray[np.float32]
Problem = Literal["sound_too_short", "sound_silent", "sound_steady"]

REASONS: Final[dict[Problem, str]] = {
    "sound_too_short": f"its sound plays for less than {LEAST_SECONDS:.0f} seconds",
    "sound_silent": "it is silent, or nearly all of it",
    "sound_steady": "its sound does not change, so that there is nothing to tell it by",
}


@dataclass(frozen=True, slots=True, eq=False)
class SoundPrint:
    """Of one sound, or of its beginning.

    Attributes:
        bits: shape (n, 48), eight rows a second.
        told: shape (n,), where the bits mean something: it is neither silent nor steady there.
    """

    bits: Bits
    told: Bits

    @property
    def seconds(self) -> float:
        """How long the sound is of which these are the bits."""
        return len(self.bits) / FRAMES_A_SECOND

    def pack(self) -> bytes:
        """48 bits a row; zeros where nothing is told."""
        return np.packbits(self.bits & self.told[:, None], axis=1).tobytes()


def unpack(data: bytes) -> SoundPrint:
    """From what ``SoundPrint.pack`` made.

    Raises:
        ValueError: it is not of this kind.
    """
    if len(data) % BYTES:
        raise ValueError(f"a sound's fingerprint has {BYTES} bytes a row, not {len(data)} in all")
    bits = np.unpackbits(np.frombuffer(data, np.uint8).reshape(-1, BYTES), axis=1).astype(bool)
    return SoundPrint(bits, np.asarray(bits.any(axis=1), np.bool_))


class SoundListener:
    """Hears a sound piece by piece, so that a long one takes little more memory than a short one.

    Args:
        rate: samples a second; 8,000 at least.
    """

    def __init__(self, rate: int) -> None:
        self._hop = rate // FRAMES_A_SECOND
        self._weights = _weights(rate)
        self._taper = np.hanning(_WINDOW).astype(np.float32)
        self._odd = b""
        self._rest = np.zeros(0, np.float32)
        self._samples = 0
        self._left = KEPT_SECONDS * FRAMES_A_SECOND
        self._energies: list[Samples] = []
        self._loud: list[bool] = []

    def hear(self, piece: bytes) -> None:
        """The next signed samples of 16 bits, one channel, in the machine's order; may be cut anywhere."""
        data = self._odd + piece
        whole = len(data) - len(data) % 2
        self._odd = data[whole:]
        samples = np.frombuffer(data[:whole], np.int16).astype(np.float32) / 32_768
        self._samples += len(samples)
        self._rest = np.concatenate([self._rest, samples])
        count = min(self._left, (len(self._rest) - _WINDOW) // self._hop + 1)
        if count < 1:
            self._rest = self._rest[-_WINDOW:]  # of a sound of which enough is known, nothing more is kept
            return
        windows = np.lib.stride_tricks.sliding_window_view(self._rest, _WINDOW)[:: self._hop][:count]
        for start in range(0, count, 64):
            self._measure(windows[start : start + 64])
        self._rest, self._left = self._rest[count * self._hop :], self._left - count

    def result(self) -> SoundPrint | Problem:
        """Of all that was heard, or why there is nothing to tell it by."""
        if self._samples < LEAST_SECONDS * self._hop * FRAMES_A_SECOND:
            return "sound_too_short"
        return _print(np.concatenate(self._energies), np.array(self._loud))

    def _measure(self, windows: Samples) -> None:
        self._loud += (np.sqrt((windows**2).mean(axis=1)) >= _SILENT).tolist()
        power = np.abs(np.fft.rfft(windows * self._taper, axis=1)) ** 2
        self._energies.append((power @ self._weights).astype(np.float32))


def sound_print(pieces: Iterable[bytes], *, rate: int) -> SoundPrint | Problem:
    """The bits of a sound, or why there are none; see ``SoundListener``."""
    listener = SoundListener(rate)
    for piece in pieces:
        listener.hear(piece)
    return listener.result()


def _print(energy: Samples, heard: Bits) -> SoundPrint | Problem:
    level = np.log(energy + _FLOOR * energy.mean(axis=1, keepdims=True) + 1e-12)
    slope = level[:, _GAP:] - level[:, :-_GAP]
    change = np.zeros_like(slope)
    change[_LAG:] = slope[_LAG:] - slope[:-_LAG]
    moving = np.abs(change).mean(axis=1) >= _STEADY
    told = np.asarray(heard & moving, np.bool_)
    told[_LAG:] &= heard[:-_LAG]
    least = LEAST_SECONDS * FRAMES_A_SECOND / 2
    if heard.sum() < least:
        return "sound_silent"
    if told.sum() < least:
        return "sound_steady"
    return SoundPrint(np.asarray(change > 0, np.bool_), told)


def _weights(rate: int) -> Samples:
    """Shape (frequencies, bands): how much of the energy at each frequency counts to each band."""
    hertz = np.fft.rfftfreq(_WINDOW, 1 / rate)
    semitones = 12 * np.log2(np.maximum(hertz, 1.0) / _LOWEST)
    weights = np.exp(-0.5 * ((semitones[:, None] - np.arange(_BANDS)) / _WIDTH) ** 2)
    return np.asarray(weights / weights.sum(axis=0), np.float32)
