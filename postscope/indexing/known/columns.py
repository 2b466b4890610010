"""A column of numbers that grows at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_FIRST = 1_024


class Column:
    """Values of one type, 1.5 times the room that they need at most.

    A reader that began before the column moved to more room goes on with the old room, which is right as far as it
    was filled then.
    """

    def __init__(self, kind: np.dtype[Any]) -> None:
        self._room = np.empty(_FIRST, kind)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def extend(self, values: Sequence[Any]) -> None:
        """Add values at the end."""
        end = self._count + len(values)
        if end > len(self._room):
            room = np.empty(max(end, len(self._room) * 3 // 2), self._room.dtype)
            room[: self._count] = self._room[: self._count]
            self._room = room
        self._room[self._count : end] = np.array(values, self._room.dtype)
        self._count = end

    def get(self, place: int) -> Any:
        """The value at a place."""
        return self._room[place]

    def set(self, place: int, value: Any) -> None:
        """Change the value at a place."""
        self._room[place] = value

    def values(self) -> npt.NDArray[Any]:
        """A view of all."""
        return self._room[: self._count]
